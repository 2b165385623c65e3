"""What the guardian reads from the venue: equity in dollars, and money moved in or out."""

from dataclasses import dataclass
from decimal import Decimal

from openalpha.core.clock import HOUR_MS, MINUTE_MS
from openalpha.core.errors import OpenAlphaError, VenueUnavailable
from openalpha.trading.safety.guardian_rules import Flow
from openalpha.venue.bybit.client import BybitClient
from openalpha.venue.bybit.rows import LogRow

__all__ = ["Look", "look"]

_MOVES = ("TRANSFER_IN", "TRANSFER_OUT")
_LATE_MS = 2 * MINUTE_MS
_DOLLARS = ("USDT", "USDC", "USD")


@dataclass(frozen=True, slots=True)
class Look:
    """One reading of the account."""

    ts_ms: int
    equity: Decimal
    flows: list[Flow]


def look(client: BybitClient, *, since_ms: int | None = None) -> Look:
    """Read equity and the latest transfers.

    Parameters
    ----------
    since_ms : int or None
        When was looked last, by the venue's time: the statement is read from two minutes before it
        on, for a venue may tell of a transfer late. None: from an hour ago on.

    Raises
    ------
    VenueUnavailable, VenueRefused
        If the account cannot be read, or does not state its equity.
    """
    ts_ms = client.channel.earliest_ms()
    wallet = client.account.wallet()
    equity = wallet.equity_usd
    if equity is None or (equity == 0 and any(coin.equity for coin in wallet.coins)):
        raise VenueUnavailable("the venue did not state the account's equity")
    hour_ago_ms = ts_ms - HOUR_MS
    start_ms = hour_ago_ms if since_ms is None else max(hour_ago_ms, since_ms - _LATE_MS)
    rows = client.account.statement(start_ms=start_ms)
    moved = [row for row in rows if row.kind in _MOVES]
    return Look(ts_ms, equity, [Flow(row.id, row.ts_ms, _dollars(client, row)) for row in moved])


def _dollars(client: BybitClient, row: LogRow) -> Decimal:
    """Return what a transfer was worth, at the price of now: it is at most an hour old."""
    if row.coin in _DOLLARS:
        return row.change
    try:
        (ticker,) = client.market.tickers("spot", symbol=f"{row.coin}USDT")
    except (OpenAlphaError, ValueError):
        raise VenueUnavailable(f"a transfer of {row.coin} has no price in dollars") from None
    if ticker.last is None:
        raise VenueUnavailable(f"a transfer of {row.coin} has no price in dollars")
    return row.change * ticker.last
