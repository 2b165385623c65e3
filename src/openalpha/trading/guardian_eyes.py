"""What the guardian reads from the venue: equity in dollars, and money moved in or out."""

from dataclasses import dataclass
from decimal import Decimal

from openalpha.core.clock import HOUR_MS
from openalpha.core.errors import OpenAlphaError, VenueUnavailable
from openalpha.trading.guardian_rules import Flow
from openalpha.venue.bybit.client import BybitClient
from openalpha.venue.bybit.rows import LogRow

__all__ = ["Look", "look"]

_MOVES = ("TRANSFER_IN", "TRANSFER_OUT")
_DOLLARS = ("USDT", "USDC", "USD")


@dataclass(frozen=True, slots=True)
class Look:
    """One reading of the account."""

    ts_ms: int
    equity: Decimal
    flows: list[Flow]


def look(client: BybitClient) -> Look:
    """Read equity and the transfers of the last hour.

    Raises
    ------
    VenueUnavailable, VenueRefused
        If the account cannot be read, or does not state its equity.
    """
    ts_ms = client.channel.earliest_ms()
    equity = client.account.wallet().equity_usd
    if equity is None:
        raise VenueUnavailable("the venue did not state the account's equity")
    rows = client.account.statement(start_ms=ts_ms - HOUR_MS)
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
