"""Who stands in line at a price of the reference book: orders, and strangers' quantity."""

from dataclasses import dataclass

from openalpha.core.orders import TimeInForce, TriggerBy, TriggerKind


@dataclass(slots=True, eq=False)
class Standing:
    """An order that is alive."""

    id: int
    seq: int
    account: int
    side: int
    qty: int
    limit: int
    tif: TimeInForce
    kind: TriggerKind
    by: TriggerBy
    trigger: int
    is_reduce_only: bool
    is_whole: bool
    filled: int = 0
    is_waiting: bool = False

    @property
    def rest(self) -> int:
        return self.qty - self.filled


@dataclass(slots=True, eq=False)
class Strangers:
    """Quantity of the market in a line."""

    qty: int


Line = list[Strangers | Standing]
