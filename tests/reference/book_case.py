"""A story on the price-time book as plain data: what happens, step by step, and what came of it."""

from dataclasses import dataclass, field
from typing import NamedTuple

from openalpha.core.orders import OrderStatus, Role, TimeInForce, TriggerBy, TriggerKind
from openalpha.core.reasons import Reason


@dataclass(frozen=True, slots=True)
class Level:
    """The feed states the market's quantity at a price: side +1 bid, -1 ask."""

    side: int
    price: int
    qty: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    levels: tuple[Level, ...]


@dataclass(frozen=True, slots=True)
class Print:
    price: int
    qty: int
    taker_side: int


@dataclass(frozen=True, slots=True)
class MarkPrice:
    price: int


@dataclass(frozen=True, slots=True)
class Order:
    """A new order; its id is its number among the orders of the story, from 1."""

    account: int
    side: int
    qty: int
    limit: int = 0
    tif: TimeInForce = TimeInForce.GTC
    trigger_kind: TriggerKind = TriggerKind.NONE
    trigger_by: TriggerBy = TriggerBy.LAST
    trigger: int = 0
    is_reduce_only: bool = False


@dataclass(frozen=True, slots=True)
class CancelOrder:
    account: int
    order_id: int


@dataclass(frozen=True, slots=True)
class AmendOrder:
    account: int
    order_id: int
    qty: int = 0
    limit: int = 0


Step = Level | Snapshot | Print | MarkPrice | Order | CancelOrder | AmendOrder


@dataclass(frozen=True, slots=True)
class BookCase:
    """Steps on one linear instrument of tick 1; every account begins with the same balance."""

    steps: tuple[Step, ...]
    lot: int = 1
    accounts: int = 3
    balance: int = 10**12
    maker_e8: int = 20_000
    taker_e8: int = 55_000


class BookFill(NamedTuple):
    account: int
    order_id: int
    qty: int
    price: int
    role: Role
    reason: Reason


class Ended(NamedTuple):
    status: OrderStatus
    reason: Reason
    filled: int


@dataclass(slots=True)
class BookOutcome:
    """`queues` is the quantity ahead of each resting order; `depth` bids and asks, best first."""

    fills: list[BookFill] = field(default_factory=list)
    ended: dict[int, Ended] = field(default_factory=dict)
    balances: list[int] = field(default_factory=list)
    positions: list[tuple[int, int]] = field(default_factory=list)
    queues: dict[int, int] = field(default_factory=dict)
    depth: list[list[tuple[int, int]]] = field(default_factory=list)
    last: int = 0
