"""Where the market's own quotes and trades come from: steps on a grid of time."""

from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from openalpha.venue.kernel.layout import I64

__all__ = ["Feed", "Step"]


@dataclass(slots=True)
class Step:
    """What the market does at one moment, in units.

    `levels` are int64[n, 3]: side (+1 bid, -1 ask), price, quantity; of each side best first.
    `prints` are (price, quantity, taker side); a price of 0 means the best opposite price there is.
    `funding` is a rate (10^-12) to settle at now, where the feed knows the true one.
    """

    levels: I64
    prints: list[tuple[int, int, int]] = field(default_factory=list)
    mark: int = 0
    index: int = 0
    funding: int | None = None


class Feed(Protocol):
    """One market's own life, a function of its set-up and of the steps made so far.

    A recorded one knows its funding, and is given anew at each start rather than kept.
    """

    is_recorded: ClassVar[bool]

    def step(self, ts_ms: int) -> Step:
        """Return what the market does at a stamp of the grid; stamps rise."""
        ...

    def strike(self, event: str, size: float) -> None:
        """Let a scripted event happen: gap, crash, thin, still, calm."""
        ...
