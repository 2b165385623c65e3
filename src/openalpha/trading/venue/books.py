"""One strategy's part of an account at a venue: what it holds, what it earned, what it wants."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from openalpha.books.positions import money_of
from openalpha.core.errors import InputError
from openalpha.core.instruments import Instrument, InstrumentId, Kind
from openalpha.core.messages import Fill, OrderIntent
from openalpha.core.orders import OrderType, Side
from openalpha.core.units import from_units
from openalpha.engine.bars_so_far import BarsSoFar
from openalpha.engine.mirror import Decided, HeldNow, MirrorStep
from openalpha.engine.rows import Row
from openalpha.engine.step import SignalStep
from openalpha.strategy import load_strategy, source_hash
from openalpha.strategy.base import SignalStrategy
from openalpha.strategy.events import EventStrategy
from openalpha.strategy.params import build_params
from openalpha.trading.orders.held import Holding
from openalpha.trading.orders.record import LiveOrder
from openalpha.trading.paper.subbooks import Thinker
from openalpha.trading.run.plan import RunPlan, StrategyPlan
from openalpha.trading.venue.callbacks import Callbacks, open_callbacks
from openalpha.trading.venue.exits import TAKE_PROFIT, ExitTerms, Levels
from openalpha.venue.kernel import layout as at
from openalpha.venue.kernel.layout import I64

__all__ = [
    "MANUAL",
    "Mind",
    "Standing",
    "VenueBook",
    "open_manual_book",
    "open_venue_book",
    "stands",
]

MANUAL = "manual"
"""The sub-book of people's orders."""

_ZERO = Decimal(0)


@dataclass(slots=True)
class Standing:
    """An exit of a position at the venue: the order there, what it covers, what it replaces.

    `refusals` counts how often in a row the venue took none.
    """

    link_id: str = ""
    qty: Decimal = _ZERO
    trigger: Decimal = _ZERO
    before: "Standing | None" = None
    refusals: int = 0


@dataclass(slots=True)
class Mind:
    """What decides for a sub-book: a strategy's targets, and the step that makes orders of them."""

    thinker: Thinker
    step: MirrorStep


@dataclass(slots=True)
class VenueBook:
    """A sub-book; its executions are its part of those of orders it caused.

    Parameters
    ----------
    part : StrategyPlan
    instruments : tuple of Instrument
        Those it trades; other sub-books may trade them, too.
    cash : Decimal
        Of the account currency: its capital, and what its executions and funding changed.
    mind : Mind or None
        What decides by targets.
    callbacks : Callbacks or None
        What decides by callbacks; a person orders where there is neither.

    Attributes
    ----------
    capital : Decimal
        What it was given: as it began, scaled by what was moved in and out since.
    """

    part: StrategyPlan
    instruments: tuple[Instrument, ...]
    cash: Decimal
    mind: Mind | None = None
    callbacks: Callbacks | None = None
    held: list[Holding] = field(default_factory=list)
    marks: list[Decimal] = field(default_factory=list)
    exits: list[Levels] = field(default_factory=list)
    stops: list[Standing] = field(default_factory=list)
    take_profits: list[Standing] = field(default_factory=list)
    fills: int = 0
    capital: Decimal = _ZERO

    def __post_init__(self) -> None:
        """Begin flat."""
        count = len(self.instruments)
        self.capital = self.cash
        self.held = [Holding(item.kind) for item in self.instruments]
        self.marks = [_ZERO] * count
        self.exits = [Levels() for _ in range(count)]
        self.stops = [Standing() for _ in range(count)]
        self.take_profits = [Standing() for _ in range(count)]

    @property
    def so_far(self) -> Sequence[BarsSoFar]:
        """The bars its strategy goes by, one an instrument; none for people's orders."""
        if self.mind is not None:
            return self.mind.thinker.so_far
        return () if self.callbacks is None else self.callbacks.context.so_far

    def number_of(self, instrument: str) -> int:
        """Return which of its instruments one is, -1 for none."""
        for number, item in enumerate(self.instruments):
            if item.id == instrument:
                return number
        return -1

    @property
    def equity(self) -> Decimal:
        """Cash, coins and open profit at the last marks."""
        return self.cash + sum(
            (self.worth(number) for number, mark in enumerate(self.marks) if mark), _ZERO
        )

    def worth(self, number: int) -> Decimal:
        """Return what an instrument adds to its cash: coins' value on spot, else open profit."""
        held, mark = self.held[number], self.marks[number]
        base = _ZERO if self.instruments[number].kind is Kind.SPOT else held.avg_price
        return held.qty * (mark - base)

    def tradable(self, number: int) -> Decimal:
        """Return the signed quantity that can be ordered away: on spot dust stays."""
        held, item = self.held[number].qty, self.instruments[number]
        if item.kind is not Kind.SPOT:
            return held
        whole = held // item.steps[-1].lot_size * item.steps[-1].lot_size
        return whole if whole >= item.min_qty else _ZERO

    def standing(self, leg: str) -> list[Standing]:
        """Return what stands at the venue for a leg, one for each instrument."""
        return self.take_profits if leg == TAKE_PROFIT else self.stops

    def see(self, row: Row, *, close_ms: int = 0) -> None:
        """Take the closes of a row as the prices of now; trailing stops follow it.

        `close_ms` is when it closed, UTC ms; 0: it was before the run.
        """
        for number, bar in enumerate(row.bars):
            if bar is None:
                continue
            decimals = self.instruments[number].price_decimals
            high, low, close = (from_units(price, decimals) for price in bar[1:4])
            self.marks[number] = close
            if close_ms and self.held[number].qty:
                side, span = self._side(number), (row.ts_ms, close_ms)
                self.exits[number].follow(side, (high, low, close), span=span)

    def decide(self, row: Row) -> tuple[Decided, list[int]]:
        """Decide at the close of a row that was seen; returns decision and targets behind it."""
        assert self.mind is not None, "a person decides"
        targets, sizes = self.mind.thinker.at(row)
        now = [HeldNow(held.qty, held.avg_price) for held in self.held]
        decided = self.mind.step.decide(row, targets, sizes_e6=sizes, cash=self.cash, held=now)
        return decided, targets

    def intents(self, decided: Decided, *, ts_ms: int) -> list[tuple[str, OrderIntent]]:
        """Return the orders of a decision as intents, each with the leg its id is made of."""
        found = []
        for number, order in decided.commanded.ordered:
            is_closing = bool(order[at.O_REDUCE])
            qty = self._quantity(number, order)
            if qty > 0:
                intent = self._intent(number, order, qty, ts_ms)
                found.append(("close" if is_closing else "entry", intent))
        return found

    def _quantity(self, number: int, order: I64) -> Decimal:
        if order[at.O_WHOLE]:
            return abs(self.tradable(number))
        return from_units(int(order[at.O_QTY]), self.instruments[number].qty_decimals)

    def _intent(self, number: int, order: I64, qty: Decimal, ts_ms: int) -> OrderIntent:
        return OrderIntent(
            ts_ms=ts_ms,
            instrument=InstrumentId(self.instruments[number].id),
            side=Side(int(order[at.O_SIDE])),
            qty=qty,
            order_type=OrderType.MARKET,
            is_reduce_only=bool(order[at.O_REDUCE]),
            strategy=self.part.name,
            stop_e6=int(order[at.O_X_STOP]),
            take_profit_e6=int(order[at.O_X_TP]),
            trailing_e6=int(order[at.O_X_TRAIL]),
            activation_e6=int(order[at.O_X_ACTIVATION]),
            time_exit_ms=int(order[at.O_X_TIME]),
        )

    def take(self, fill: Fill, *, order: int = 0, exits: ExitTerms | None = None) -> int:
        """Take an execution in; returns the number of its instrument.

        Parameters
        ----------
        order : int
            What its strategy knows the order by, 0 for none of its own.
        exits : ExitTerms, optional
            What the order carries; what nobody's order opens gets those of the last one.
        """
        number = self.number_of(fill.instrument)
        item, held = self.instruments[number], self.held[number]
        before = held.qty
        profit, is_reducing = held.apply(fill.side, qty=fill.qty, price=fill.price)
        if item.kind is Kind.SPOT:
            self.cash -= fill.side * fill.qty * fill.price
        else:
            self.cash += profit
        if fill.fee_coin == money_of(item):
            self.cash -= fill.fee
        elif item.kind is Kind.SPOT and fill.fee_coin == item.base:
            held.qty -= fill.fee  # a fee in the coin itself leaves less of it
        self.marks[number] = fill.price  # newer than the last close
        self._attach(number, fill, exits, before=before)
        if self.callbacks is not None:
            own = replace(fill, seq=self.fills, order_id=order, realised_pnl=profit)
            self.callbacks.hear(replace(own, is_reducing=is_reducing))
        self.fills += 1
        return number

    def _attach(self, number: int, fill: Fill, exits: ExitTerms | None, *, before: Decimal) -> None:
        """Give a position that a fill opened or added to its exits; a closed one has none."""
        levels, held = self.exits[number], self.held[number]
        if exits is not None:
            levels.terms = exits
        if not held.qty:
            levels.clear()
        elif before * held.qty <= 0 or abs(held.qty) > abs(before):
            tick = self.instruments[number].steps[-1].tick_size
            levels.attach(self._side(number), held.avg_price, tick=tick, filled_ms=int(fill.ts_ms))

    def _side(self, number: int) -> int:
        return 1 if self.held[number].qty > 0 else -1

    def wanted(self, number: int, leg: str) -> tuple[Decimal, Decimal]:
        """Return quantity and trigger of an exit its position should have; zeros for none."""
        qty = abs(self.tradable(number))
        level = self.exits[number].level(leg, self._side(number))
        return (qty, level) if qty and level else (_ZERO, _ZERO)

    def is_past(self, number: int, leg: str) -> bool:
        """Say whether the last price has reached an exit of its position."""
        qty, level = self.wanted(number, leg)
        mark = self.marks[number]
        if not qty or not mark:
            return False
        is_high = (leg == TAKE_PROFIT) == (self.held[number].qty > 0)
        return mark >= level if is_high else mark <= level

    def closing(self, ts_ms: int) -> list[tuple[str, OrderIntent]]:
        """Return the intents that close all it holds."""
        return [
            (
                "close",
                OrderIntent(
                    ts_ms=ts_ms,
                    instrument=InstrumentId(item.id),
                    side=Side.SELL if qty > 0 else Side.BUY,
                    qty=abs(qty),
                    is_reduce_only=True,
                    strategy=self.part.name,
                ),
            )
            for item, qty in zip(
                self.instruments, map(self.tradable, range(len(self.instruments))), strict=True
            )
            if qty
        ]

    def move(self, amount: Decimal) -> None:
        """Take in (+) or give away (-) money: no profit and no loss to any limit."""
        before = self.equity
        self.cash += amount
        self.capital = self.capital * self.equity / before
        if self.mind is not None:
            self.mind.step.rescale(before, self.equity)

    @property
    def is_closed(self) -> bool:
        """Whether its strategy opens nothing any more: fallen too far, or its code failed."""
        if self.callbacks is not None:
            return self.callbacks.is_failed
        return self.mind is not None and self.mind.step.step.is_halted

    def undecide(self, number: int) -> None:
        """Decide anew at the next close: an entry came to nothing."""
        if self.mind is not None:
            self.mind.step.step.undecide(number)


def open_venue_book(plan: RunPlan, part: StrategyPlan, *, folder: Path | None = None) -> VenueBook:
    """Open a sub-book as it was when its run began.

    Raises
    ------
    InputError
        If the strategy cannot be traded at a venue, or its source was changed.
    """
    cls: Any = load_strategy(part.ref, folder=folder)
    if part.source_hash and source_hash(cls) != part.source_hash:
        raise InputError(
            f"strategy {part.name} ({part.ref}) was changed since the run began; put its file back "
            "as it was, or start a new run"
        )
    if part.name == MANUAL:
        raise InputError(f"'{MANUAL}' names the sub-book of people's orders; rename the strategy")
    instruments = [plan.instruments[number] for number in part.numbers]
    if any(item.kind is Kind.INVERSE for item in instruments):
        raise InputError("a venue is traded in spot and linear so far; leave inverse ones out")
    params = build_params(cls.Params, part.params, strategy=cls.name)
    if issubclass(cls, EventStrategy):
        called = open_callbacks(cls(params), plan, part=part, instruments=instruments)
        return VenueBook(part, tuple(instruments), plan.capital_of(part), callbacks=called)
    strategy: SignalStrategy = cls()
    step = SignalStep(
        instruments,
        exits=strategy.exits(params),
        timeframe_ms=plan.timeframe_ms,
        capital=plan.capital_of(part),
        settings=plan.settings,
    )
    mind = Mind(Thinker(strategy, params, part.keys, instruments, plan), MirrorStep(step))
    return VenueBook(part, tuple(instruments), plan.capital_of(part), mind)


def open_manual_book(plan: RunPlan) -> VenueBook:
    """Open the sub-book of people's orders: all instruments, and the capital no strategy has.

    Beside strategies it begins with nothing of its own: what it buys is paid from the account, its
    result is counted apart.
    """
    every = tuple(range(len(plan.instruments)))
    keys = tuple(str(item.id) for item in plan.instruments)
    part = StrategyPlan(MANUAL, MANUAL, {}, "", every, keys, Decimal(0 if plan.strategies else 1))
    return VenueBook(part, plan.instruments, plan.capital_of(part))


def stands(order: LiveOrder) -> bool:
    """Say whether an order rests at the venue, nothing about it being under way.

    One that is to replace another does so only once the other is on its way out.
    """
    rests = order.trigger_price is not None or order.limit_price is not None
    is_sure = order.is_acked and not order.is_lost and not order.wants_cancel
    return order.is_open and is_sure and rests and not order.replaces
