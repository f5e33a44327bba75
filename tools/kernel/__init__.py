"""A real Linux kernel for tests of cards and pins that this machine does not have.

``with Machine() as machine: machine.call(function, …)`` (tools/kernel/machine.py) boots Debian's newest kernel in QEMU, with
the machine's own files beneath an overlay, and runs Python in it as root: sound cards, USB devices and GPIO chips come and go
for real.
"""
