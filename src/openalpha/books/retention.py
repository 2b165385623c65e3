"""How long a year's records are kept: no command deletes one earlier, or at all."""

from datetime import date
from typing import NamedTuple

__all__ = ["Retention", "keep_until"]

_TRANSACTION_YEARS = 7
_LODGMENT_YEARS = 5


class Retention(NamedTuple):
    """The first day on which records may go, if any is known yet, and why."""

    until: date
    is_open: bool
    words: str


def keep_until(year: int, *, last_used: int | None, lodged: date | None = None) -> Retention:
    """Return how long the records of an income year are kept.

    The later of seven years after its last transaction and five years after lodging the year in
    which the last of its parcels was sold and the last of its losses used.

    Parameters
    ----------
    year : int
        Income year, by the year it ends.
    last_used : int or None
        The income year in which the last parcel or loss of it was used up; None while some is left.
    lodged : date or None
        When that year was lodged; None takes the last day an agent may lodge it, 15 May.

    Examples
    --------
    >>> keep_until(2026, last_used=2029).until, keep_until(2026, last_used=2026).until
    (datetime.date(2035, 5, 15), datetime.date(2033, 6, 30))
    """
    after_trades = date(year + _TRANSACTION_YEARS, 6, 30)
    if last_used is None:
        words = (
            f"at least until {after_trades}, and five years after lodging the year in which the "
            "last parcel and loss of it is used: some are left"
        )
        return Retention(after_trades, is_open=True, words=words)
    by = lodged or date(last_used + 1, 5, 15)
    # A leap day has no anniversary in five years: the day after it is the later one.
    is_leap_day = (by.month, by.day) == (2, 29)
    month, number = (3, 1) if is_leap_day else (by.month, by.day)
    after_lodging = date(by.year + _LODGMENT_YEARS, month, number)
    until = max(after_trades, after_lodging)
    return Retention(until, is_open=False, words=f"until {until}")
