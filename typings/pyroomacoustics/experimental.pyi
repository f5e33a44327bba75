import numpy as np
from numpy.typing import NDArray

def measure_rt60(h: NDArray[np.floating], fs: int, decay_db: float = ...) -> float: ...
