"""A decision made before the first one: what it loads and compiles is there when it counts."""

from openalpha.core.units import to_units
from openalpha.engine.rows import BarUnits, Row
from openalpha.store.frames import FrameKind
from openalpha.trading.orders.side import Input
from openalpha.trading.run.feed_rows import row_payload
from openalpha.trading.venue.desk import VenueDesk
from openalpha.trading.venue.keeping import freeze_desk, thaw_desk

__all__ = ["rehearse"]


def rehearse(desk: VenueDesk, *, after_ms: int) -> bool:
    """Let a copy of a desk decide on one more bar at the last prices; nothing of it stays.

    Compiled functions are loaded at their first call, which takes from 40 ms to a second, and some
    20 s where they are not compiled yet.

    Parameters
    ----------
    after_ms : int
        The stamp after which rows are new.

    Returns
    -------
    bool
        False where nothing is rehearsed: no price is known yet, no strategy decides, or one is
        called back, which may do more than decide.
    """
    row = None if desk.callbacks.has_any else _next(desk, after_ms)
    if row is None:
        return False
    state = freeze_desk(desk)
    copy = None if state is None else thaw_desk(state, desk)
    if copy is None:
        return False
    copy.apply(0, Input(FrameKind.FEED, row_payload(row), row.ts_ms + desk.plan.timeframe_ms))
    return True


def _next(desk: VenueDesk, after_ms: int) -> Row | None:
    """Return a bar after the last one in which nothing happened."""
    bars: list[BarUnits | None] = [None] * len(desk.plan.instruments)
    for book in desk.books:
        if book.mind is None:
            continue
        for place, mark in zip(book.part.numbers, book.marks, strict=True):
            if mark:
                price = to_units(mark, desk.plan.instruments[place].price_decimals)
                bars[place] = (price, price, price, price, 1)
    if not any(bars):
        return None
    frame_ms = desk.plan.timeframe_ms
    return Row((after_ms // frame_ms + 1) * frame_ms, tuple(bars))
