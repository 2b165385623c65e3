"""Indicators remembered by name, parameters and series while many configurations are evaluated.

A thousand pairs of averages are made of some dozens of averages. Only read-only series are
remembered, as bars give them: nobody can change what an answer was computed from.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Lock
from typing import Any

from numpy.typing import NDArray

from openalpha.strategy.bars import FloatArray

__all__ = ["Memo", "lent", "remembered", "remembering"]

Columns = tuple[FloatArray, ...]
_Series = tuple[NDArray[Any], ...]
_Key = tuple[object, ...]


class Memo:
    """What indicators gave, the oldest forgotten first.

    Parameters
    ----------
    most_bytes : int
        How much may be kept.
    """

    def __init__(self, most_bytes: int = 256_000_000) -> None:
        self.hits = self.misses = 0
        self._most, self._held = most_bytes, 0
        # The series are kept with the answer, so that their places in memory stay theirs.
        self._known: OrderedDict[_Key, tuple[_Series, Columns]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: _Key, series: _Series, *, compute: Callable[[], Columns]) -> Columns:
        """Return what `compute` gives, computed once; it must not be written to."""
        with self._lock:
            known = self._known.get(key)
            if known is not None:
                self._known.move_to_end(key)
                self.hits += 1
        if known is None:
            answer = compute()
            for column in answer:
                column.flags.writeable = False
            self._keep(key, series, answer)
            return answer
        return known[1]

    def _keep(self, key: _Key, series: _Series, answer: Columns) -> None:
        size = sum(column.nbytes for column in answer)
        with self._lock:
            self.misses += 1
            if key in self._known or size > self._most:
                return
            self._known[key] = (series, answer)
            self._held += size
            while self._held > self._most:
                _, (_, old) = self._known.popitem(last=False)
                self._held -= sum(column.nbytes for column in old)


_active: list[Memo] = []


@contextmanager
def remembering(memo: Memo) -> Iterator[Memo]:
    """Remember indicators while the block runs, in all threads."""
    _active.append(memo)
    try:
        yield memo
    finally:
        _active.remove(memo)


def remembered(
    name: str,
    series: Columns,
    *,
    parameters: Mapping[str, int | float],
    compute: Callable[[], Columns],
) -> Columns:
    """Return what an indicator gives for series, from memory where that may be."""
    held = lent(name, series, parameters=parameters, compute=compute)
    return compute() if held is None else tuple(column.copy() for column in held)


def lent(
    name: str,
    series: _Series,
    *,
    parameters: Mapping[str, int | float],
    compute: Callable[[], Columns],
) -> Columns | None:
    """Return what is remembered itself, to be read only; None where nothing may be remembered."""
    if not _active or any(column.flags.writeable for column in series):
        return None
    places = tuple((column.ctypes.data, len(column)) for column in series)
    return _active[-1].get((name, *parameters.items(), *places), series, compute=compute)
