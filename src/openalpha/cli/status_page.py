"""A run's status as a person reads it at night: what holds it back first, within 80 columns."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

__all__ = ["page_of", "short_ids"]

_WIDTH = 80
_LABEL = 11
_SILENT = 10**9
"""A target beyond this says nothing."""


def page_of(status: Mapping[str, Any], *, name: str) -> list[str]:
    """Return the lines that show where a run stands.

    Parameters
    ----------
    status : mapping
        As `venue_status` and `status_of` make it.
    name : str
        What the run is called on the screen.
    """
    return [line for part in _parts(status, name) for line in part]


def short_ids(ids: Sequence[str]) -> dict[str, str]:
    """Return for each id the end of it that no other has, so that a person can type it.

    Examples
    --------
    >>> short_ids(["20260101-aaaaaa", "20260101-bbbbbb"])
    {'20260101-aaaaaa': '20260101-a', '20260101-bbbbbb': '20260101-b'}
    """
    found = {}
    for one in ids:
        others = [other for other in ids if other != one]
        size = 8
        while size < len(one) and any(other.startswith(one[:size]) for other in others):
            size += 1
        found[one] = one[:size]
    return found


def _parts(status: Mapping[str, Any], name: str) -> Iterator[list[str]]:
    if status["mode"] == "starting":
        yield [f"{status['environment']} run {name}: starting"]
        yield _said("why", "the kernel is compiled (once), the account compared, the log read")
        yield [""]
        return
    led = f"process {status['process']}" if status.get("process") else "led by nobody now"
    yield [f"{status['environment']} run {name}: {status['mode']}, {led}"]
    if status.get("why"):
        yield _said("why", status["why"])
    risk = status.get("risk")
    if risk is not None:
        yield _said("risk", " · ".join([risk["stage"].upper(), *risk["reasons"]]))
        yield _said("equity", _equity(risk))
    yield _said("feed", _feed(status))
    health = status.get("health")
    if health is not None:
        yield _said("venue", _venue(health))
        yield _said("incidents", _incidents(health["open_incidents"]))
    if status.get("decided"):
        yield _said("decided", _decided(status["decided"]))
    for book in status["books"]:
        yield from _book(book)
    yield [""]


def _said(label: str, words: str) -> list[str]:
    lines = textwrap.wrap(words, _WIDTH - _LABEL - 2) or [""]
    first = f"  {label:{_LABEL}}{lines[0]}"
    return [first, *(" " * (_LABEL + 2) + line for line in lines[1:])]


def _equity(risk: Mapping[str, Any]) -> str:
    peak, fall = _money(risk["peak"]), _share(risk["drawdown"])
    return (
        f"{_money(risk['equity'])}, highest {peak} (-{fall}), today -{_share(risk['daily_loss'])}"
    )


def _feed(status: Mapping[str, Any]) -> str:
    from openalpha.core.clock import format_ms

    last_ms = status.get("last_row_ms", -1)
    if last_ms < 0:
        return "no bar yet"
    said = f"last bar opened {format_ms(last_ms)[:19].replace('T', ' ')}"
    age_ms = status.get("health", {}).get("feed_age_ms")
    return said if age_ms is None else f"{said}, closed {_age(age_ms)} ago"


def _venue(health: Mapping[str, Any]) -> str:
    lines = [
        f"{name.replace('_', ' ')} {'up' if is_up else 'DOWN'}"
        for name, is_up in sorted(health["lines"].items())
    ]
    left = health["rate_left"]
    rate = "rate limit unknown" if left is None else f"{_share(left)} of the rate limit left"
    return ", ".join([*(lines or ["no socket: the venue is asked"]), rate])


def _incidents(count: int) -> str:
    return "none" if count == 0 else f"{count} OPEN: `openalpha incidents list`"


def _decided(decided: Mapping[str, Any]) -> str:
    from openalpha.core.clock import format_ms

    targets = ", ".join(
        f"{target / 1e6:+.2f} {name.partition(':')[2]}"
        for name, target in decided["targets"].items()
        if abs(target) < _SILENT
    )
    at = format_ms(decided["ts"])[11:19]
    return f"{at} {decided['book']}: {targets or 'nothing new'}"


def _book(book: Mapping[str, Any]) -> Iterator[list[str]]:
    money = f"{_money(book['equity'])} {book['currency']}" if book["equity"] else ""
    share = book.get("share") or {}
    now, wanted = share.get("now"), share.get("wanted")
    part = f", share {_share(now)} (wanted {_share(wanted)})" if now and wanted else ""
    name = book["name"]
    label = name if len(name) < _LABEL else f"{name[: _LABEL - 2]}…"
    yield _said(label, f"{money}{part}, {book.get('fills', 0)} fills")
    exits = {
        (order["instrument"], order.get("trigger_kind") == "take_profit"): order["trigger"]
        for order in book["orders"]
        if order["trigger"]
    }
    for row in book["positions"]:
        stop, profit = (exits.get((row["instrument"], is_profit)) for is_profit in (False, True))
        held = f"{row['qty']} {row['instrument']} at {row['entry_price']}, now {row['mark_price']}"
        more = f", take-profit {profit}" if profit else ""
        yield _said("", f"{held}, {'stop ' + stop if stop else 'NO STOP'}{more}")
    if not book["positions"]:
        yield _said("", "flat")


def _money(text: str) -> str:
    return f"{Decimal(text):,.2f}"


def _share(text: str) -> str:
    return f"{Decimal(text) * 100:.1f} %"


def _age(ms: int) -> str:
    if ms < 120_000:
        return f"{max(ms, 0) // 1000} s"
    return f"{ms // 60_000:,} min"
