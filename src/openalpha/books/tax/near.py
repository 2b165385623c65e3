"""Fills near a border of the calendar, where the time zone decides the figure: a remark each."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from openalpha.books.tax.dates import first_eligible_day, zone_of
from openalpha.books.tax.events import Event
from openalpha.books.tax.slices import Slice

__all__ = ["near_borders"]

# The widest a local day can be from the same day in UTC.
_REACH = timedelta(hours=14)


def near_borders(events: Iterable[Event], slices: Iterable[Slice], *, zone: str) -> list[str]:
    """List fills within 14 hours of 1 July, and sales of parcels as close to their 12 months.

    Parameters
    ----------
    events : iterable of Event
        Those without an instant are passed over.
    slices : iterable of Slice
        What was sold, with its parcels.
    zone : str
        The taxpayer's zone.

    Returns
    -------
    list of str
        One sentence a fill; check the zone of its source.
    """
    instants = {
        event.id: datetime.fromtimestamp(event.ts_ms / 1000, UTC)
        for event in events
        if event.ts_ms is not None and event.ts_ms > 0
    }
    found = []
    for name, moment in instants.items():
        if _is_near(moment, date(moment.year, 7, 1), zone):
            found.append(f"{name} lies within 14 hours of 1 July {moment.year}: its zone decides")
    for piece in slices:
        sold, bought = instants.get(piece.disposal), piece.acquired
        if sold is None or bought is None:
            continue
        if _is_near(sold, first_eligible_day(bought), zone):
            found.append(
                f"{piece.disposal} sells {piece.lot} within 14 hours of its 12 months: "
                "its zone decides the discount"
            )
    return found


def _is_near(moment: datetime, day: date, zone: str) -> bool:
    border = datetime(day.year, day.month, day.day, tzinfo=zone_of(zone))
    return abs(moment - border) <= _REACH
