"""What an update leaves on the card when the power goes, and what the boot script makes of it."""
