"""From floats to integer units: the decimals a column needs, and whether nothing was lost."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from openalpha.core.units import MAX_DECIMALS

__all__ = [
    "coin_decimals",
    "exact_decimals",
    "relative_decimals",
    "to_floats",
    "to_unit_column",
    "unit_column",
]

_CHUNK = 1 << 16
_SAMPLE = 512
_MAX_EXACT = 2.0**53


def coin_decimals(largest_price: float) -> int:
    """Return the decimals a spot coin is counted in: a unit worth a millionth, 8 at most.

    A spot fee may be taken in the coin and is rounded up to this unit. Counted in lots it would be
    overstated a hundredfold on small orders.

    Parameters
    ----------
    largest_price : float
        Of the coin, in the quote currency; above 0.

    Examples
    --------
    >>> coin_decimals(60_000.0), coin_decimals(0.1), coin_decimals(0.00001)
    (8, 5, 1)
    """
    return min(8, max(0, 6 + math.ceil(math.log10(largest_price))))


def to_floats(units: NDArray[np.int64], decimals: int) -> NDArray[np.float64]:
    """Return units / 10^decimals, correctly rounded: the same bits whatever the decimals.

    Parameters
    ----------
    units : int64[...]
        Below 2^53 in size.
    decimals : int
        0 to 22 (10^22 is the last power of ten a float64 holds exactly).

    Examples
    --------
    >>> to_floats(np.array([12345]), 2)[0] == to_floats(np.array([1234500]), 4)[0] == 123.45
    np.True_
    """
    assert 0 <= decimals <= 22
    out: NDArray[np.float64] = units.astype(np.float64)
    out /= 10.0**decimals
    return out


def to_unit_column(values: NDArray[np.float64], decimals: int, *, out: NDArray[np.int64]) -> bool:
    """Write values × 10^decimals, rounded to whole units, into `out`; say whether all were exact.

    Works through the column in pieces that fit the cache, so no second column is ever held.

    Parameters
    ----------
    values : float64[n]
        Finite.
    out : int64[n]
        Filled in place; may be strided.
    """
    scale = 10.0**decimals
    is_exact = True
    for start in range(0, len(values), _CHUNK):
        piece = values[start : start + _CHUNK]
        scaled = piece * scale
        np.rint(scaled, out=scaled)
        out[start : start + _CHUNK] = scaled
        if is_exact:
            scaled /= scale
            is_exact = bool(np.array_equal(scaled, piece))
    return is_exact


def relative_decimals(largest: float) -> int:
    """Return the decimals that resolve `largest` to at least 1e-8 of itself, at most 12.

    Examples
    --------
    >>> relative_decimals(60_000.0), relative_decimals(1.0), relative_decimals(0.0)
    (4, 8, 0)
    """
    if largest <= 0:
        return 0
    return min(max(math.ceil(8 - math.log10(largest) - 1e-12), 0), MAX_DECIMALS)


def exact_decimals(
    columns: Callable[[], list[NDArray[np.float64]]], *, least: int = 0, most: int = MAX_DECIMALS
) -> int | None:
    """Return the fewest decimals that hold every value exactly, or None if `most` are not enough.

    Parameters
    ----------
    columns : callable
        Returns the columns (float64[n] each, finite); called once.
    least, most : int
        Range of decimals to try.

    Examples
    --------
    >>> exact_decimals(lambda: [np.array([1.5, 2.25]), np.array([3.0])])
    2
    """
    found = least
    data = columns()
    for piece in [column[:_SAMPLE] for column in data] + data:
        while found <= most and not _is_exact(piece, found):
            found += 1
        if found > most:
            return None
    return found


def unit_column(values: NDArray[np.float64], decimals: int) -> NDArray[np.int64]:
    """Return values × 10^decimals rounded to whole units, as a new int64[n] column."""
    out = np.empty(len(values), dtype=np.int64)
    to_unit_column(values, decimals, out=out)
    return out


def _is_exact(values: NDArray[np.float64], decimals: int) -> bool:
    scale = 10.0**decimals
    for start in range(0, len(values), _CHUNK):
        piece = values[start : start + _CHUNK]
        scaled = np.rint(piece * scale)
        if scaled.size and np.abs(scaled).max() >= _MAX_EXACT:
            return False
        if not np.array_equal(scaled / scale, piece):
            return False
    return True
