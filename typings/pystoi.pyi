import numpy as np
from numpy.typing import NDArray

def stoi(x: NDArray[np.floating], y: NDArray[np.floating], fs_sig: int, extended: bool = ...) -> float: ...
