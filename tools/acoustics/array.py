"""The array of all simulated rooms: four microphones on a circle, as a ReSpeaker has them, turned by 45°."""

import numpy as np

RADIUS = 0.0325
MICROPHONES = np.array(
    [[RADIUS * np.cos(angle), RADIUS * np.sin(angle), 0.0] for angle in np.deg2rad([45.0, 135.0, 225.0, 315.0])]
)
"""Metres from the centre, shape (4, 3): x to the right, counter-clockwise."""
GEOMETRY_MM = "; ".join(f"{1000 * x:.3f},{1000 * y:.3f}" for x, y, _ in MICROPHONES)
"""The same as the setting has it."""
