"""The same for arm64, whose programs run under qemu-user."""
