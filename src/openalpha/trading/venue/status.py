"""Where a run at a venue stands, in the form of `status_of`."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from openalpha.core.orders import Side
from openalpha.trading.orders.record import LiveOrder
from openalpha.trading.paper.status import head_of, share_row
from openalpha.trading.venue.desk import VenueDesk

__all__ = ["decided_row", "venue_status"]


def venue_status(desk: VenueDesk, *, said_ms: int, last_ts_ms: int, is_led: bool) -> dict[str, Any]:
    """Return where a run stands, decimals as texts.

    Parameters
    ----------
    said_ms : int
        Now, UTC ms.
    last_ts_ms : int
        Stamp of the last input.
    is_led : bool
        Whether the process goes on leading it.
    """
    return {
        **head_of(desk, run_id=desk.run_id, said_ms=said_ms, last_ts_ms=last_ts_ms, is_led=is_led),
        "incidents": len(desk.incidents),
        "risk": _risk_row(desk),
        "health": _health_row(desk, said_ms),
        "prices": {
            str(item.id): f"{mark:f}"
            for book in desk.books
            for item, mark in zip(book.instruments, book.marks, strict=True)
            if mark
        },
        "worked": [
            {
                "id": one.name,
                "how": one.parent.kind.value,
                "instrument": str(one.parent.intent.instrument),
                "side": int(one.parent.intent.side),
                "qty": f"{one.parent.intent.qty:f}",
                "filled": f"{one.filled:f}",
                "end_ms": one.parent.end_ms,
            }
            for one in desk.worked.parents.values()
        ],
        "books": [_book_row(desk, number) for number in range(len(desk.books))],
    }


def decided_row(desk: VenueDesk, decided: Mapping[str, Any]) -> dict[str, Any]:
    """Return the last decision's moment, its sub-book, and its targets by instrument.

    Parameters
    ----------
    decided : mapping
        As the log has it; callbacks have no targets.
    """
    book = desk.books[decided["book"]]
    names = [str(item.id) for item in book.instruments]
    targets = dict(zip(names, decided["targets"], strict=False))
    return {"ts": decided["ts"], "book": book.part.name, "targets": targets}


def _risk_row(desk: VenueDesk) -> dict[str, Any]:
    ladder = desk.risk.ladder
    track = ladder.breakers.equity
    return {
        "stage": ladder.standing.stage.name.lower(),
        "reasons": [words for _, _, words in ladder.reasons],
        "equity": f"{desk.risk.equity_now:f}",
        "peak": f"{track.peak:f}",
        "drawdown": f"{track.drawdown:.6f}",
        "daily_loss": f"{track.daily_loss:.6f}",
    }


def _health_row(desk: VenueDesk, said_ms: int) -> dict[str, Any]:
    gauges = desk.risk.gauges
    open_ones, left = gauges.open_incidents, gauges.rate_left
    closed_ms = desk.last_row_ms + desk.plan.timeframe_ms
    return {
        "lines": dict(gauges.lines),
        "rate_left": None if left is None else f"{left:f}",
        "open_incidents": len(desk.incidents) if open_ones is None else open_ones,
        "feed_age_ms": said_ms - closed_ms if desk.last_row_ms >= 0 else None,
    }


def _book_row(desk: VenueDesk, number: int) -> dict[str, Any]:
    book = desk.books[number]
    return {
        "name": book.part.name,
        "account": desk.run_id,
        "capital": str(desk.plan.capital_of(book.part)),
        "currency": book.instruments[0].settle,
        "equity": f"{book.equity:.8f}",
        "share": _share_of(desk, number),
        "fills": book.fills,
        "balances": {book.instruments[0].settle: f"{book.cash:f}"},
        "positions": [
            {
                "instrument": str(item.id),
                "qty": f"{held.qty:f}",
                "entry_price": f"{held.avg_price:.8g}",
                "mark_price": f"{mark:f}",
            }
            for item, held, mark in zip(book.instruments, book.held, book.marks, strict=True)
            if held.qty
        ],
        "orders": [
            {
                "id": order.link_id,
                "instrument": f"bybit_{order.category}:{order.symbol}",
                "side": int(order.side),
                "qty": f"{order.qty:f}",
                "filled": f"{order.filled_qty:f}",
                "limit": _text(order.limit_price),
                "trigger": _text(order.trigger_price),
                "trigger_kind": _trigger_kind(order),
                "is_reduce_only": order.is_reduce_only,
                "created_ms": 0,
            }
            for order in desk.side.record.unsettled()
            if order.is_open and _is_of(desk, order.link_id, number)
        ],
    }


def _share_of(desk: VenueDesk, number: int) -> dict[str, str | None] | None:
    count = len(desk.plan.strategies)
    if number >= count:
        return None
    return share_row(desk.plan, number, equity=[book.equity for book in desk.books[:count]])


def _is_of(desk: VenueDesk, link: str, number: int) -> bool:
    return any(part.book == number for part in desk.orders.parts.get(link, ()))


def _trigger_kind(order: LiveOrder) -> str:
    if order.trigger_price is None:
        return ""
    # A spot order says no direction: what stands there over coins is their stop.
    profits = 1 if order.side is Side.SELL else 2
    return "take_profit" if order.params.get("triggerDirection") == profits else "stop"


def _text(value: Decimal | None) -> str | None:
    return None if value is None else f"{value:f}"
