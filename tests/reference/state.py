"""The state of the reference exchange: balances, positions, orders, prices; and how it records."""

from dataclasses import dataclass, field

from openalpha.core.instruments import Kind
from openalpha.core.messages import EffectKind
from openalpha.core.orders import (
    MarginMode,
    OrderStatus,
    OrderType,
    PositionMode,
    TimeInForce,
    TriggerBy,
    TriggerKind,
)
from openalpha.core.reasons import Reason
from tests.reference.money import lot_down, sign
from tests.reference.scenario import (
    NO_EXITS,
    Case,
    EffectRow,
    ExitsCase,
    FillRow,
    InstrumentCase,
    OrderRow,
    Outcome,
    PositionRow,
)

RESTING = frozenset({OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED})
LIVE = RESTING | {OrderStatus.UNTRIGGERED}
IN_FLIGHT = OrderStatus.SUBMITTED


@dataclass(slots=True)
class Position:
    """A2. For spot `qty` is the base balance."""

    qty: int = 0
    cost: int = 0
    isolated: int = 0


@dataclass(slots=True, eq=False)
class Order:
    id: int
    seq: int
    instrument: int
    leg: int
    side: int
    qty: int
    order_type: OrderType
    limit: int = 0
    time_in_force: TimeInForce = TimeInForce.GTC
    trigger_kind: TriggerKind = TriggerKind.NONE
    trigger_by: TriggerBy = TriggerBy.LAST
    trigger: int = 0
    distance: int = 0
    activation: int = 0
    best: int | None = None
    is_reduce_only: bool = False
    is_whole: bool = False
    oco_group: tuple[str, int] | None = None
    exits: ExitsCase = NO_EXITS
    is_exit: bool = False
    born_at: int = -1
    fill_reason: Reason = Reason.MARKET
    filled: int = 0
    status: OrderStatus = IN_FLIGHT
    reason: Reason = Reason.NONE

    @property
    def remaining(self) -> int:
        return self.qty - self.filled

    @property
    def is_live(self) -> bool:
        return self.status in LIVE

    @property
    def is_resting_limit(self) -> bool:
        return self.status in RESTING and self.order_type is OrderType.LIMIT

    @property
    def is_working_market(self) -> bool:
        return self.status in RESTING and self.order_type is OrderType.MARKET

    def waits_for_fall(self) -> bool:
        falls = self.trigger_kind is not TriggerKind.TAKE_PROFIT
        return falls if self.side < 0 else not falls

    def trigger_price(self) -> int | None:
        """O8: where it triggers; None while a trailing order is inactive."""
        if self.trigger_kind is not TriggerKind.TRAILING:
            return self.trigger
        return None if self.best is None else self.best + self.side * self.distance


@dataclass(slots=True, eq=False)
class Venue:
    """One instrument: its rules, its prices at this moment, its bar."""

    rules: InstrumentCase
    legs: tuple[Position, Position]
    last: int | None = None
    mark: int | None = None
    event_mark: int | None = None
    event_index: int | None = None
    tick: int = 1
    lot: int = 1
    volume: int = 0
    budget: int | None = None
    funding_done: int = 0

    @property
    def is_perp(self) -> bool:
        return self.rules.kind is not Kind.SPOT

    def watched(self, by: TriggerBy, point: int) -> int:
        """X3: the price a trigger watches when the last price is at a point."""
        if by is TriggerBy.INDEX and self.event_index is not None:
            return self.event_index
        if by is not TriggerBy.LAST and self.event_mark is not None:
            return self.event_mark
        return point

    def is_flat(self, leg: int) -> bool:
        """X9: nothing is left, but for dust of a spot coin."""
        held = self.legs[leg].qty
        return held == 0 if self.is_perp else held < self.lot

    def available_lots(self, qty: int) -> int:
        """O3: what of a quantity this bar still has, down to a lot."""
        return lot_down(qty if self.budget is None else min(qty, self.budget), self.lot)


@dataclass(slots=True, eq=False)
class Flight:
    """A command on its way (O1)."""

    arrival_ms: int
    seq: int
    instrument: int
    order: Order
    action: str
    reason: Reason = Reason.NONE
    new_qty: int = 0
    new_limit: int = 0
    new_trigger: int = 0
    born_at: int = -1


@dataclass(slots=True)
class State:
    case: Case
    balances: list[int]
    venues: list[Venue]
    orders: dict[int, Order] = field(default_factory=dict)
    flights: list[Flight] = field(default_factory=list)
    now_ms: int = 0
    event_counter: int = 0
    last_seq: int = 0
    last_group: int = 0
    bar: int = -1
    outcome: Outcome = field(default_factory=Outcome)
    seen: dict[str, int] = field(default_factory=dict)
    fill_bars: list[int] = field(default_factory=list)

    @property
    def is_hedge(self) -> bool:
        return self.case.account.position_mode is PositionMode.HEDGE

    @property
    def is_isolated(self) -> bool:
        return self.case.account.margin_mode is MarginMode.ISOLATED

    def next_seq(self) -> int:
        self.last_seq += 1
        return self.last_seq

    def saw(self, what: str) -> None:
        """Count how often a branch of the rules was taken (for the coverage of random cases)."""
        self.seen[what] = self.seen.get(what, 0) + 1

    def post(
        self, coin: int, kind: EffectKind, amount: int, instrument: int, ts_ms: int = -1
    ) -> None:
        """Change a balance: nothing else does."""
        self.balances[coin] += amount
        stamp = self.now_ms if ts_ms < 0 else ts_ms
        self.outcome.effects.append(EffectRow(stamp, coin, kind, amount, instrument))

    def record(self, fill: FillRow) -> None:
        self.outcome.fills.append(fill)
        self.fill_bars.append(self.bar)
        self.saw(f"fill {fill.reason.name}")

    def end(self, order: Order, status: OrderStatus, reason: Reason) -> None:
        order.status = status
        order.reason = reason
        self.saw(reason.name)

    def closable(self, order: Order) -> int:
        """X7: how much of its leg a reduce-only order may close."""
        venue = self.venues[order.instrument]
        held = venue.legs[order.leg].qty
        if sign(held) != -order.side:
            return 0
        return lot_down(abs(held), venue.lot)

    def perp_legs(self) -> list[tuple[int, int]]:
        """Return (instrument, leg) of every perpetual position, in order."""
        return [
            (i, leg)
            for i, venue in enumerate(self.venues)
            if venue.is_perp
            for leg in (0, 1)
            if venue.legs[leg].qty != 0
        ]

    def finish(self) -> Outcome:
        out = self.outcome
        out.balances = tuple(self.balances)
        out.orders = {o.id: OrderRow(o.status, o.reason, o.filled) for o in self.orders.values()}
        out.positions = {
            (i, leg): PositionRow(p.qty, p.cost, p.isolated)
            for i, venue in enumerate(self.venues)
            for leg, p in enumerate(venue.legs)
        }
        return out


def new_state(case: Case) -> State:
    balances = list(case.account.balances)
    venues = []
    for rules in case.instruments:
        held = balances[rules.base_coin] if rules.kind is Kind.SPOT else 0
        venues.append(Venue(rules, (Position(held), Position())))
    return State(case, balances, venues)
