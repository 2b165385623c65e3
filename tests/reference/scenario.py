"""A whole case as plain data: instruments, account, market, commands; and what came of it.

All numbers are integers in the units of docs/kernel/rules.md, rules N1 to N5.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from openalpha.core.instruments import Kind
from openalpha.core.messages import EffectKind
from openalpha.core.orders import (
    MarginMode,
    OrderStatus,
    OrderType,
    PositionMode,
    Role,
    Side,
    TimeInForce,
    TriggerBy,
    TriggerKind,
)
from openalpha.core.reasons import Reason

NO_LIMIT = 2**60
MINUTE_MS = 60_000
Bar = tuple[int, int, int, int, int]
Mark = tuple[int, int, int, int]


class Tier(NamedTuple):
    limit_cash: int
    mmr_e8: int
    max_leverage_e2: int
    deduction_cash: int = 0


class Step(NamedTuple):
    since_ms: int
    tick_price_units: int
    lot_qty_units: int


@dataclass(frozen=True, slots=True)
class InstrumentCase:
    kind: Kind = Kind.LINEAR
    base_coin: int = 0
    num: int = 1
    den: int = 1
    k_inverse: int = 0
    steps: tuple[Step, ...] = (Step(0, 1, 1),)
    min_qty: int = 0
    max_qty: int = NO_LIMIT
    max_market_qty: int = NO_LIMIT
    min_notional: int = 0
    maker_e8: int = 0
    taker_e8: int = 0
    leverage_e2: int = 1_000
    max_leverage_e2: int = 10_000
    half_spread_e8: int = 0
    impact_e8: int = 0
    participation_e6: int = 0
    collateral_e4: int = 0
    tiers: tuple[Tier, ...] = ()


@dataclass(frozen=True, slots=True)
class AccountCase:
    balances: tuple[int, ...] = (1_000_000,)
    margin_mode: MarginMode = MarginMode.CROSS
    position_mode: PositionMode = PositionMode.ONE_WAY


@dataclass(frozen=True, slots=True)
class Series:
    """One instrument's market: a row a bar of the common grid, None where it has no bar."""

    bars: tuple[Bar | None, ...]
    mark: tuple[Mark | None, ...] | None = None
    index: tuple[Mark | None, ...] | None = None
    funding: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class MarketCase:
    ts_ms: tuple[int, ...]
    series: tuple[Series, ...]
    timeframe_ms: int = MINUTE_MS


@dataclass(frozen=True, slots=True)
class ExitsCase:
    stop_e6: int = 0
    take_profit_e6: int = 0
    trailing_e6: int = 0
    activation_e6: int = 0
    time_exit_ms: int = 0


NO_EXITS = ExitsCase()


@dataclass(frozen=True, slots=True)
class New:
    """A new order, made after the close of bar `after_bar` (-1: as the first bar opens)."""

    after_bar: int
    side: Side
    qty: int
    limit: int = 0
    instrument: int = 0
    time_in_force: TimeInForce = TimeInForce.GTC
    trigger_kind: TriggerKind = TriggerKind.NONE
    trigger_by: TriggerBy = TriggerBy.LAST
    trigger: int = 0
    distance: int = 0
    activation: int = 0
    is_reduce_only: bool = False
    leg: int = 0
    oco_group: int = 0
    exits: ExitsCase = NO_EXITS
    is_limit: bool | None = None

    @property
    def order_type(self) -> OrderType:
        is_limit = self.limit != 0 if self.is_limit is None else self.is_limit
        return OrderType.LIMIT if is_limit else OrderType.MARKET


@dataclass(frozen=True, slots=True)
class Cancel:
    after_bar: int
    order_id: int
    reason: Reason = Reason.CANCELLED_BY_USER


@dataclass(frozen=True, slots=True)
class Amend:
    after_bar: int
    order_id: int
    qty: int = 0
    limit: int = 0
    trigger: int = 0


Command = New | Cancel | Amend


@dataclass(frozen=True, slots=True)
class Case:
    instruments: tuple[InstrumentCase, ...]
    account: AccountCase
    market: MarketCase
    commands: tuple[Command, ...] = ()
    path: str = "adverse"
    latency_ms: int = 0

    def __post_init__(self) -> None:
        stamps = [command.after_bar for command in self.commands]
        assert stamps == sorted(stamps), "commands are given in the order they are made"
        assert len(self.instruments) == len(self.market.series)


class FillRow(NamedTuple):
    ts_ms: int
    instrument: int
    leg: int
    order_id: int
    qty: int
    price: int
    role: Role
    fee: int
    fee_coin: int
    realised: int
    reason: Reason


class EffectRow(NamedTuple):
    ts_ms: int
    coin: int
    kind: EffectKind
    amount: int
    instrument: int


class OrderRow(NamedTuple):
    status: OrderStatus
    reason: Reason
    filled: int


class PositionRow(NamedTuple):
    qty: int
    cost: int
    isolated: int


@dataclass(slots=True)
class Outcome:
    """What happened. `positions` is keyed by instrument and leg, flat ones included."""

    fills: list[FillRow] = field(default_factory=list)
    effects: list[EffectRow] = field(default_factory=list)
    orders: dict[int, OrderRow] = field(default_factory=dict)
    balances: tuple[int, ...] = ()
    positions: dict[tuple[int, int], PositionRow] = field(default_factory=dict)
