"""What the venue remembers of an order, in the venue's own words."""

from dataclasses import dataclass

__all__ = ["OPEN_STATUSES", "Order"]

OPEN_STATUSES = frozenset({"New", "PartiallyFilled", "Untriggered"})


@dataclass(slots=True)
class Order:
    """One order as clients see it. Quantities and prices are in units of its market.

    `value` is the sum of quantity × price over its fills in the market's value units, `fee` in the
    fee coin's cash units. `account` is a number, `listing` a market's key. `number` is its place
    among the account's orders, `ended` among those of its category that have closed.
    """

    order_id: str
    link_id: str
    account: int
    listing: str
    side: int
    kind: str
    tif: str
    qty: int
    limit: int = 0
    position_idx: int = 0
    leg: int = 0
    trigger: int = 0
    trigger_by: str = ""
    trigger_direction: int = 0
    is_reduce_only: bool = False
    closes_on_trigger: bool = False
    take_profit: int = 0
    stop_loss: int = 0
    tp_limit: int = 0
    sl_limit: int = 0
    tp_trigger_by: str = ""
    sl_trigger_by: str = ""
    tpsl_mode: str = ""
    order_filter: str = "Order"
    stop_type: str = ""
    create_type: str = "CreateByUser"
    market_unit: str = ""
    is_leverage: str = ""
    distance: int = 0
    activation: int = 0
    group: int = 0
    kernel_id: int = 0
    status: str = "New"
    filled: int = 0
    value: int = 0
    fee: int = 0
    fee_coin: str = ""
    created_ms: int = 0
    updated_ms: int = 0
    cancel_type: str = ""
    reject_reason: str = "EC_NoError"
    last_on_created: int = 0
    seq: int = 0
    exit_qty: int = 0
    number: int = 0
    ended: int = 0

    @property
    def is_open(self) -> bool:
        """Say whether the order can still trade."""
        return self.status in OPEN_STATUSES

    @property
    def leaves(self) -> int:
        """Return what may still fill: nothing once it is closed."""
        return self.qty - self.filled if self.is_open else 0

    def is_of(self, order_filter: str) -> bool:
        """Say whether an order is of the kinds a filter names; an empty one names all.

        Spot tells its take-profits and stop-losses apart; elsewhere they are StopOrder.
        """
        kind = self.order_filter
        if kind == "tpslOrder" and not self.listing.startswith("spot:"):
            kind = "StopOrder"
        return not order_filter or kind == order_filter

    @property
    def is_conditional(self) -> bool:
        """Say whether it waits, or waited, for a trigger."""
        return self.trigger > 0 or self.distance > 0
