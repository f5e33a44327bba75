"""The packages for this machine's own processor, amd64, and how all four are made."""
