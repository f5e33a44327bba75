"""What runs in the guest: called by name from the tests beside, see :meth:`tools.kernel.machine.Machine.call`."""
