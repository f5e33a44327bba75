import numpy as np
from numpy.typing import NDArray

def run(sample: NDArray[np.generic], sr: int) -> dict[str, float]: ...
