LAYER: int
