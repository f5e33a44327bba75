import numpy as np
from numpy.typing import NDArray

def pesq(fs: int, ref: NDArray[np.generic], deg: NDArray[np.generic], mode: str = ...) -> float: ...
