"""DCP: the exchange itself cancels every order, stops too, once the trader's sockets are dead.

Optional, off, and only for accounts to which the exchange grants it. What it cancels leaves
positions naked, so with it on the guardian looks for these at every round.
"""

from dataclasses import dataclass
from decimal import Decimal

from openalpha.core.errors import InputError
from openalpha.venue.bybit.answers import BybitRefused
from openalpha.venue.bybit.client import BybitClient
from openalpha.venue.bybit.flatten import naked_positions
from openalpha.venue.bybit.rows import PositionRow

__all__ = ["Bared", "bared", "switch_on"]

_PRODUCTS = ("DERIVATIVES", "SPOT")
_BY_DCP = "CancelByDCP"


@dataclass(frozen=True, slots=True)
class Bared:
    """A position whose stop the exchange cancelled, and where that stop stood."""

    position: PositionRow
    stop: Decimal


def switch_on(client: BybitClient, window_s: int) -> None:
    """Have the exchange cancel everything so long after the trader's last word.

    Raises
    ------
    InputError
        If the exchange does not grant it to this account.
    VenueUnavailable
        If it does not answer.
    """
    for product in _PRODUCTS:
        try:
            client.account.set_dcp(product, window_s=window_s)
        except BybitRefused as refused:
            raise InputError(
                "the exchange does not grant DCP to this account; set guardian.dcp_window_s=0 "
                f"({refused.message})"
            ) from None


def bared(client: BybitClient) -> list[Bared]:
    """Return the positions without a stop whose last one the exchange cancelled by DCP.

    One that never had a stop, or whose stop a person took away, is none of them.

    Raises
    ------
    VenueUnavailable, VenueRefused
        If the venue cannot be asked.
    """
    found = []
    for position in naked_positions(client):
        closed = client.orders.recently_closed(position.category, position.symbol)
        stops = [row for row in closed if row.is_stop and row.idx == position.idx]
        last = max(stops, key=lambda row: row.updated_ms, default=None)
        if last is not None and last.cancelled_by == _BY_DCP and last.trigger_price is not None:
            found.append(Bared(position, last.trigger_price))
    return found
