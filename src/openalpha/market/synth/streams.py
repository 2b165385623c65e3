"""Random numbers by name: each part of a market draws from its own stream of one seed."""

import hashlib

import numpy as np
from numpy.typing import NDArray

__all__ = ["TAIL_FREEDOM", "mixing", "normals", "stream"]

TAIL_FREEDOM = 5
"""Degrees of freedom of the Student-t shocks."""


def stream(seed: int, *names: str) -> np.random.Generator:
    """Return the generator of one named part; adding a symbol never changes another's numbers.

    Examples
    --------
    >>> stream(7, "BTCUSDT", "path").random() == stream(7, "BTCUSDT", "path").random()
    True
    """
    label = hashlib.sha256("/".join(names).encode()).digest()
    words = [int.from_bytes(label[at : at + 4], "little") for at in range(0, 16, 4)]
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=words)))


def normals(seed: int, *names: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return standard normals of one named part."""
    return stream(seed, *names).standard_normal(shape)


def mixing(common: NDArray[np.float64], own: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the scale that makes normals Student-t with unit variance.

    A chi-square with `TAIL_FREEDOM` degrees is a sum of squared normals, three of them common to
    all symbols, so that calm and wild bars come together. Only + × ÷ and √ are used here and in
    the other modules: these give the same bits on every machine, exp and log do not.

    Parameters
    ----------
    common : float64[n, 3]
    own : float64[n, 2]

    Returns
    -------
    float64[n]
    """
    assert common.shape[1] + own.shape[1] == TAIL_FREEDOM
    chi_square = np.zeros(len(common))
    for part in (common, own):
        for place in range(part.shape[1]):
            chi_square += part[:, place] * part[:, place]
    scale: NDArray[np.float64] = np.sqrt((TAIL_FREEDOM - 2) / chi_square)
    return scale
