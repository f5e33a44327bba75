"""Every setting of Kontor."""
