"""Compares what we hold to be true with what the venue states, by four stated invariants.

1. Quantity: a position is the sum of its executions.
2. Average price: within 0.01 % of the venue's.
3. Profit and money: the sum of the effects posted is the venue's balance, to the last unit.
4. Ids: an order's id follows from its cause, and no id names two orders.
"""

from dataclasses import dataclass, field
from decimal import Decimal

from openalpha.trading.orders.held import Holding
from openalpha.venue.bybit.rows import PositionRow

__all__ = ["PRICE_TOLERANCE", "Difference", "Suspicions", "compare_position"]

PRICE_TOLERANCE = Decimal("0.0001")
"""Largest relative distance of two average prices."""

_ZERO = Decimal(0)
_ANSWERS = 3


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs, and the words for a person."""

    code: str
    words: str


def compare_position(key: str, ours: Holding, *, row: PositionRow | None) -> Difference | None:
    """Compare a position with the venue's row of it; None where both agree.

    Parameters
    ----------
    key : str
        The position, for the words.
    ours : Holding
    row : PositionRow or None
        None: the venue holds none.
    """
    theirs = _ZERO if row is None or row.side is None else row.size * row.side
    if ours.qty != theirs:
        return Difference(
            "position_differs",
            f"{key} is {theirs} at the venue and {ours.qty} by its executions; the venue's word "
            "is taken",
        )
    if row is None or not row.avg_price:
        return None
    if abs(ours.avg_price - row.avg_price) > row.avg_price * PRICE_TOLERANCE:
        return Difference(
            "average_price_differs",
            f"{key} was opened at {row.avg_price} by the venue and {ours.avg_price} by its "
            "executions; the venue's word is taken",
        )
    return None


@dataclass(slots=True)
class Suspicions:
    """Differences seen, and how often in a row while nothing new was heard."""

    seen: dict[str, tuple[str, int, int]] = field(default_factory=dict)

    def confirms(
        self, key: str, difference: Difference | None, *, heard: int, answers: int
    ) -> bool:
        """Say whether a difference has stayed while the venue was asked for what may explain it.

        Parameters
        ----------
        key : str
        difference : Difference or None
        heard : int
            Number of executions heard: one more may explain it, so that waiting begins anew.
        answers : int
            Number of answers to the question for executions, three of which must have come since.
        """
        if difference is None:
            self.seen.pop(key, None)
            return False
        words, at, since = self.seen.get(key, ("", -1, 0))
        if words != difference.words or at != heard:
            self.seen[key] = (difference.words, heard, answers)
            return False
        if answers < since + _ANSWERS:
            return False
        self.seen.pop(key)
        return True
