"""An order on its way to Bybit: what is sent, from the core's words to the venue's."""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from openalpha.core.errors import OrderError
from openalpha.core.messages import OrderIntent
from openalpha.core.orders import (
    Leg,
    OrderType,
    PositionMode,
    Side,
    TimeInForce,
    TriggerBy,
    TriggerKind,
)

__all__ = ["NewOrder", "plain"]

_LINK = re.compile(r"[A-Za-z0-9_-]{1,36}")
_TIFS = {
    TimeInForce.GTC: "GTC",
    TimeInForce.IOC: "IOC",
    TimeInForce.FOK: "FOK",
    TimeInForce.POST_ONLY: "PostOnly",
}
_TRIGGERS = {
    TriggerBy.LAST: "LastPrice",
    TriggerBy.MARK: "MarkPrice",
    TriggerBy.INDEX: "IndexPrice",
}
_RISES, _FALLS = 1, 2


def plain(value: Decimal) -> str:
    """Write a number as the venue wants it: no exponent, no trailing zeros.

    Examples
    --------
    >>> plain(Decimal("1E+3")), plain(Decimal("0.0100"))
    ('1000', '0.01')
    """
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


@dataclass(frozen=True, slots=True)
class NewOrder:
    """One order to be created.

    Parameters
    ----------
    category, symbol : str
    side : Side
    qty : Decimal
        In base coin (linear, spot) or contracts (inverse); 0 with `closes_all` closes all.
    link_id : str
        Our own id, up to 36 of letters, digits, - and _; never used twice.
    limit_price, trigger_price : Decimal or None
    trigger_rises : bool
        Whether the trigger waits for a rise.
    idx : int
        0 one-way, 1 the long and 2 the short leg of hedge mode.
    order_filter : str
        Spot: Order, tpslOrder or StopOrder; empty: the venue's default.
    stop_loss : Decimal or None
        The stop the position has from its first fill on; derivatives only.
    """

    category: str
    symbol: str
    side: Side
    qty: Decimal
    link_id: str
    limit_price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    trigger_price: Decimal | None = None
    trigger_rises: bool = False
    trigger_by: TriggerBy = TriggerBy.LAST
    is_reduce_only: bool = False
    closes_all: bool = False
    idx: int = 0
    order_filter: str = ""
    stop_loss: Decimal | None = None

    def __post_init__(self) -> None:
        if not _LINK.fullmatch(self.link_id):
            raise OrderError(
                f"the order id '{self.link_id}' cannot be sent; it takes up to 36 of letters, "
                "digits, - and _"
            )

    @classmethod
    def of(
        cls,
        intent: OrderIntent,
        *,
        link_id: str,
        mode: PositionMode = PositionMode.ONE_WAY,
        stop: Decimal | None = None,
    ) -> "NewOrder":
        """Say an intent of the core in the venue's words.

        Raises
        ------
        OrderError
            If the venue has no such order.
        """
        market, _, symbol = intent.instrument.partition(":")
        category = market.removeprefix("bybit_")
        if category not in ("linear", "inverse", "spot") or not market.startswith("bybit_"):
            raise OrderError(f"{intent.instrument} is no instrument of Bybit")
        if intent.trigger_kind is TriggerKind.TRAILING:
            raise OrderError(
                "Bybit trails by the position, not by an order; set it by trading-stop"
            )
        if intent.order_type is OrderType.LIMIT and intent.limit_price is None:
            raise OrderError(f"a limit order of {symbol} needs its price")
        is_hedged = mode is PositionMode.HEDGE and category != "spot"
        return cls(
            category=category,
            symbol=symbol,
            side=intent.side,
            qty=intent.qty,
            link_id=link_id,
            limit_price=intent.limit_price if intent.order_type is OrderType.LIMIT else None,
            time_in_force=intent.time_in_force,
            trigger_price=None if intent.trigger_kind is TriggerKind.NONE else intent.trigger_price,
            trigger_rises=_waits_for_rise(intent),
            trigger_by=intent.trigger_by,
            is_reduce_only=intent.is_reduce_only and category != "spot",
            idx=(2 if intent.leg is Leg.SHORT else 1) if is_hedged else 0,
            stop_loss=None if category == "spot" else stop,
        )

    def params(self) -> dict[str, Any]:
        """Return the fields of order/create, without those that do not apply."""
        is_market = self.limit_price is None
        fields: dict[str, Any] = {
            "category": self.category,
            "symbol": self.symbol,
            "side": "Buy" if self.side is Side.BUY else "Sell",
            "orderType": "Market" if is_market else "Limit",
            "qty": plain(self.qty),
            "orderLinkId": self.link_id,
        }
        if self.limit_price is not None:
            fields["price"] = plain(self.limit_price)
            fields["timeInForce"] = _TIFS[self.time_in_force]
        if self.category == "spot":
            if is_market:
                fields["marketUnit"] = "baseCoin"
        else:
            fields["positionIdx"] = self.idx
            if self.is_reduce_only or self.closes_all:
                fields["reduceOnly"] = True
            if self.closes_all:
                fields["closeOnTrigger"] = True
            if self.stop_loss is not None:
                fields |= {"stopLoss": plain(self.stop_loss), "tpslMode": "Full"}
        return fields | self._trigger()

    def _trigger(self) -> dict[str, Any]:
        fields: dict[str, Any] = {"orderFilter": self.order_filter} if self.order_filter else {}
        if self.trigger_price is None:
            return fields
        fields["triggerPrice"] = plain(self.trigger_price)
        if self.category == "spot":
            return {"orderFilter": "StopOrder"} | fields
        fields["triggerDirection"] = _RISES if self.trigger_rises else _FALLS
        fields["triggerBy"] = _TRIGGERS[self.trigger_by]
        return fields


def _waits_for_rise(intent: OrderIntent) -> bool:
    # A stop buys on a rise and sells on a fall; a take-profit the other way round.
    is_buy = intent.side is Side.BUY
    return is_buy if intent.trigger_kind is TriggerKind.STOP else not is_buy
