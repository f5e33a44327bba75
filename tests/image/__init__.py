"""The finished image in QEMU, in an office of its own: a cable, a DHCP server, a room on the building machine.

Nothing of these tests is in the image: what the device needs to hear, to be touched and to be looked at is a second archive
behind its first file system (:mod:`tests.image.parcel`), and a few lines in its device tree.
"""
