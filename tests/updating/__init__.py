"""Updates of the image, with files in the place of partitions."""
