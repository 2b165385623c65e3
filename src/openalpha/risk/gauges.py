"""Small gauges that turn what happens into what a breaker judges. Pure, with a state to keep."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

__all__ = ["FailureGauge", "RangeGauge"]

_BUCKETS = 30


class RangeGauge:
    """Tells a bar's range as a multiple of the mean range of the bars before it.

    Parameters
    ----------
    bars : int
        How many bars make "the usual"; nothing is told before there are so many.

    Examples
    --------
    >>> gauge = RangeGauge(bars=2)
    >>> [gauge.observe(Decimal(high), Decimal(100)) for high in (101, 103, 110)]
    [None, None, Decimal('5')]
    """

    def __init__(self, bars: int = 96) -> None:
        assert bars > 0
        self._bars = bars
        self._ranges: list[Decimal] = []
        self._sum = Decimal(0)

    def observe(self, high: Decimal, low: Decimal) -> Decimal | None:
        """Return the multiple for a bar that closed; None while too few came before it."""
        size, before = high - low, self._sum
        is_known = len(self._ranges) == self._bars and before > 0
        self._ranges.append(size)
        self._sum += size
        if len(self._ranges) > self._bars:
            self._sum -= self._ranges.pop(0)
        return size * self._bars / before if is_known else None

    def state(self) -> list[str]:
        """Return the ranges it remembers."""
        return [str(one) for one in self._ranges]

    def restore(self, state: list[str]) -> None:
        """Take up what `state` returned."""
        self._ranges = [Decimal(one) for one in state]
        self._sum = sum(self._ranges, Decimal(0))


class FailureGauge:
    """Counts tries and failures of the last while.

    Parameters
    ----------
    window_ms : int
        How long a try counts, to a thirtieth of it.
    """

    def __init__(self, window_ms: int) -> None:
        self._bucket_ms = max(1, window_ms // _BUCKETS)
        self._counts: dict[int, tuple[int, int]] = {}

    def observe(self, ts_ms: int, *, tries: int, failures: int) -> tuple[int, Decimal]:
        """Add what happened since the last time; return tries of the window and the share failed.

        More failures than tries (one request may fail twice) count as tries.
        """
        now = ts_ms // self._bucket_ms
        before = self._counts.get(now, (0, 0))
        self._counts[now] = (before[0] + max(tries, failures), before[1] + failures)
        self._counts = {at: both for at, both in self._counts.items() if at > now - _BUCKETS}
        total = sum(tried for tried, _ in self._counts.values())
        failed = sum(failed for _, failed in self._counts.values())
        return total, Decimal(failed) / max(total, 1)

    def state(self) -> dict[str, list[int]]:
        """Return its counts."""
        return {str(at): list(both) for at, both in self._counts.items()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up what `state` returned."""
        self._counts = {int(at): (int(both[0]), int(both[1])) for at, both in state.items()}
