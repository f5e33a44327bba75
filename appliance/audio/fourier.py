"""Real transforms of float32 into arrays that are there already. numpy's types know its functions for float64 only."""

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray


def forward(samples: NDArray[np.float32], out: NDArray[np.complex64]) -> None:
    """The bins of the last axis: shape (…, n) to (…, n / 2 + 1)."""
    np.fft.rfft(samples, axis=-1, out=cast("Any", out))


def inverse(bins: NDArray[np.complex64], out: NDArray[np.float32]) -> None:
    """The samples of the last axis: shape (…, n / 2 + 1) to (…, n)."""
    np.fft.irfft(bins, out.shape[-1], axis=-1, out=cast("Any", out))


def forward_mean(samples: NDArray[np.float32], out: NDArray[np.complex64]) -> None:
    """As :func:`forward`, divided by n. numpy computes it in float32, and the other one in float64."""
    np.fft.rfft(samples, axis=-1, norm="forward", out=cast("Any", out))


def inverse_sum(bins: NDArray[np.complex64], out: NDArray[np.float32]) -> None:
    """The way back from that: as :func:`inverse`, times n."""
    np.fft.irfft(bins, out.shape[-1], axis=-1, norm="forward", out=cast("Any", out))
