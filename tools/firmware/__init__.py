"""The boot partition's files and device-tree overlays: made from the pin map, and proved on the trees of Debian's kernel."""
