"""Which stamps a series lacks: the progress of a download is what the lake holds, nothing else."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

__all__ = ["Span", "missing_spans", "windows"]

Span = tuple[int, int]
"""[start_ms, stop_ms) in UTC ms."""


def missing_spans(known: NDArray[np.int64], span: Span, *, step_ms: int) -> list[Span]:
    """Return the stretches of a span whose stamps on the step's grid are not known.

    Parameters
    ----------
    known : int64[n]
        Stamps there already, in any order; those off the grid or outside do not matter.

    Returns
    -------
    list of (start_ms, stop_ms)
        From the first missing stamp to one step behind the last, oldest first.

    Examples
    --------
    >>> missing_spans(np.array([10, 20, 50]), (10, 70), step_ms=10)
    [(30, 50), (60, 70)]
    """
    first = -(-span[0] // step_ms)
    count = -(-span[1] // step_ms) - first
    if count <= 0:
        return []
    is_known = np.zeros(count + 2, dtype=bool)
    is_known[[0, -1]] = True
    places = known[known % step_ms == 0] // step_ms - first
    is_known[places[(places >= 0) & (places < count)] + 1] = True
    edges = np.diff(is_known.astype(np.int8))
    begins, ends = np.flatnonzero(edges == -1), np.flatnonzero(edges == 1)
    return [
        (int(first + begin) * step_ms, int(first + end) * step_ms)
        for begin, end in zip(begins, ends, strict=True)
    ]


def windows(span: Span, *, step_ms: int, rows: int) -> Iterator[Span]:
    """Cut a span into windows of at most `rows` steps, oldest first.

    Examples
    --------
    >>> list(windows((0, 50), step_ms=10, rows=2))
    [(0, 20), (20, 40), (40, 50)]
    """
    start, stop = span
    while start < stop:
        end = min(stop, start + rows * step_ms)
        yield start, end
        start = end
