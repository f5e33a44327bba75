from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import experimental as experimental
from . import random as random

class Material:
    def __init__(self, energy_absorption: float) -> None: ...

class ShoeBox:
    rir: list[list[NDArray[np.float64]]]
    def __init__(
        self,
        p: Sequence[float],
        *,
        fs: int,
        materials: Material,
        max_order: int,
        use_rand_ism: bool = ...,
        max_rand_disp: float = ...,
    ) -> None: ...
    def add_microphone_array(self, mic_array: NDArray[np.float64]) -> object: ...
    def add_source(self, position: ArrayLike) -> object: ...
    def compute_rir(self) -> None: ...

def inverse_sabine(rt60: float, room_dim: Sequence[float]) -> tuple[float, int]: ...
