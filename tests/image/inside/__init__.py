"""What runs on the device under test, by the image's own Python: the standard library and Debian's alsaaudio alone."""
