"""Running an event strategy on recorded depth and trades, message by message, on the book."""

import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from openalpha.core.clock import format_ms
from openalpha.core.errors import InputError
from openalpha.core.instruments import Kind
from openalpha.core.reasons import Reason
from openalpha.core.units import to_units
from openalpha.engine.context import EventContext
from openalpha.engine.events import is_the_strategys, order_notes
from openalpha.engine.funding import Settlements
from openalpha.engine.grid import common_grid
from openalpha.engine.run import EngineRun, account_coins, finished_run
from openalpha.engine.signals import EngineSettings
from openalpha.engine.tables import FillTable, Units
from openalpha.engine.terms import Terms
from openalpha.market.tape import Tape
from openalpha.strategy.bars import Bars
from openalpha.strategy.base import failure_words
from openalpha.strategy.events import EventStrategy, Trade
from openalpha.venue.kernel import book_market as event
from openalpha.venue.kernel import layout as at
from openalpha.venue.kernel.book_events import (
    depth_rows,
    funding_rows,
    in_time_order,
    mark_rows,
    trade_rows,
)
from openalpha.venue.kernel.exchange import BookMachine
from openalpha.venue.kernel.layout import I64
from openalpha.venue.kernel.machine import Machine
from openalpha.venue.rules import account_setup, cash_decimals, fee_notes, instrument_setup

__all__ = ["run_messages"]

_ALWAYS = 2**62


def run_messages(
    strategy: EventStrategy,
    tapes: Sequence[Tape],
    *,
    capital: Decimal,
    settings: EngineSettings,
    funding: Sequence[Settlements] | None = None,
) -> EngineRun:
    """Lead an event strategy through recorded messages of one instrument.

    The venue is the price-time book: limit orders queue behind what the market shows, market orders
    take it, latency counts, spread and impact settings do not. Callbacks come in order: fills, then
    trades, then the book of each moment; bars at their closes. Orders can be placed from the first
    closed bar on.

    Parameters
    ----------
    strategy : EventStrategy
        A fresh object.
    tapes : sequence of Tape
        One.
    capital : Decimal
        Starting balance in the account currency.
    settings : EngineSettings
    funding : sequence of (stamps, rates_e12), optional
        Settlements to use instead of the history's own.

    Returns
    -------
    EngineRun
        Equity at the closes of the tape's bars.

    Raises
    ------
    InputError
        If settings or instruments cannot be used together, or the strategy's own code fails.
    """
    if len(tapes) != 1:
        raise InputError(f"fills.feed = book plays one instrument back; {len(tapes)} were given")
    if settings.risk.profile == "live":
        raise InputError("fills.feed = book cannot be guarded yet; set risk.profile = none")
    if capital <= 0:
        raise InputError(f"the capital was {capital}; it must be positive")
    tape = tapes[0]
    desk, units = _desk(tape, capital, settings)
    grid = common_grid([tape.history])
    scale = 10.0 ** units.coin_decimals[0]
    equity = np.full(len(grid.ts_ms), float(desk.account.balances[0]))
    journal = np.full((len(grid.ts_ms), 1), int(Reason.NO_SIGNAL), dtype=np.int8)
    terms = Terms(
        tape.history.instrument,
        desk.instruments[0].steps,
        timeframe_ms=grid.timeframe_ms,
        exits=strategy.params.exits(),
    )
    context = _MessageContext(
        cast(Machine, desk),
        grid,
        bars={str(tape.history.instrument.id): Bars.of(tape.history)},
        terms=[terms],
        equity=equity,
        journal=journal,
        cash_scale=scale,
    )
    context.silent_bars = max(strategy.warm_up_bars(strategy.params), 1) - 1
    own = (tape.history.funding_ts_ms, tape.history.funding_rate_e12)
    paid = (own if funding is None else funding[0]) if settings.venue.costs.funding else None
    run = _Pass(strategy, context, desk, terms=terms, units=units, equity=equity)
    run.lead(tape, _events(tape, paid))
    equity /= scale
    return finished_run(
        cast(Machine, desk),
        units,
        grid=grid,
        equity=equity,
        journal=journal,
        capital=capital,
        notes=[
            *(f"{tape.history.instrument.id}: {note}" for note in tape.history.notes),
            f"{len(tape.trades):,} trades and {len(tape.depth):,} levels played back "
            f"({tape.fingerprint[:12]}); spread, impact and participation are the book's own",
            *fee_notes([tape.history.instrument], settings.venue.costs),
            *_latency_note(settings.venue.costs.latency_ms),
            *order_notes(context),
        ],
    )


def _latency_note(latency_ms: int) -> tuple[str, ...]:
    if latency_ms:
        return ()
    return (
        "no latency: orders act right after the message they answer, which flatters; set "
        "costs.latency_ms",
    )


def _desk(tape: Tape, capital: Decimal, settings: EngineSettings) -> tuple["_Desk", Units]:
    instrument, venue = tape.history.instrument, settings.venue
    coins = account_coins([instrument])
    cash = cash_decimals(capital, [instrument])
    is_spot = instrument.kind is Kind.SPOT
    setup = instrument_setup(
        instrument, costs=venue.costs, margin=venue.margin, cash=cash, base_coin=int(is_spot)
    )
    balances = (to_units(capital, cash), *(0 for _ in coins[1:]))
    account = account_setup(balances, costs=venue.costs, margin=venue.margin, fills=venue.fills)
    decimals = (cash, *(instrument.qty_decimals for _ in coins[1:]))
    return _Desk(BookMachine((setup,), (account,))), Units((instrument,), coins, decimals)


def _events(tape: Tape, paid: Settlements | None) -> I64:
    """Return all messages in order; at one moment marks, funding, prints, depth."""
    stamp, side, price, qty = (np.ascontiguousarray(column) for column in tape.trades.T)
    tables = [trade_rows(0, stamp, side, price, qty)]
    if len(tape.depth):
        columns = (np.ascontiguousarray(column) for column in tape.depth.T)
        tables.append(depth_rows(0, *columns))
    if paid is not None and len(paid[0]):
        tables.insert(0, funding_rows(0, *paid))
    history = tape.history
    if history.mark is not None:
        closes = np.ascontiguousarray(history.mark[:, 3])
        tables.insert(0, mark_rows(0, history.ts_ms + history.timeframe_ms, closes))
    return in_time_order(*tables)


class _Desk:
    """One account at the book, spoken to as `EventContext` speaks to the bar machine."""

    row = _ALWAYS

    def __init__(self, venue: BookMachine) -> None:
        self.venue = venue
        self.instruments, self.account = venue.instruments, venue.accounts[0]

    @property
    def arena(self) -> I64:
        return self.venue.arena

    @property
    def fills(self) -> I64:
        return self.venue.fills

    @property
    def effects(self) -> I64:
        return self.venue.effects

    @property
    def done(self) -> I64:
        return self.venue.done

    def submit(self, *order: Any) -> int:
        return self.venue.submit(*order)

    def cancel(self, *which: int) -> bool:
        return self.venue.cancel(0, *which)

    def amend(self, *which: int, **terms: int) -> bool:
        return self.venue.amend(0, *which, **terms)

    def live_orders(self, number: int) -> I64:
        return self.venue.live_orders(number)

    def position(self, number: int, leg: int = 0) -> tuple[int, int, int]:
        return self.venue.position(0, number, leg)

    def balances(self) -> list[int]:
        return self.venue.balances(0)

    def equity(self) -> int:
        return self.venue.equity(0)


class _MessageContext(EventContext):
    """The context between two bars: time, position and equity are those of the last message."""

    now_ms = 0

    def refresh(self) -> None:
        # The book's memory moves when it grows.
        arena = self._machine.arena
        account = int(arena[at.H_ACCTS_AT])
        self._leg = account + int(arena[account + at.AC_LEGS_AT])
        self._balance = account + at.AC_BALANCES
        super().refresh()

    @property
    def ts_ms(self) -> int:
        return self.now_ms

    @property
    def equity(self) -> float:
        return self._machine.equity() / self._cash_scale


class _Book:
    """The book in people's units."""

    def __init__(self, venue: BookMachine, terms: Terms) -> None:
        self._venue, self._terms = venue, terms

    @property
    def bid(self) -> float:
        return (self._venue.best(0)[0] or math.nan) / self._terms.price_scale

    @property
    def ask(self) -> float:
        return (self._venue.best(0)[1] or math.nan) / self._terms.price_scale

    def levels(self, count: int) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
        price, qty = self._terms.price_scale, self._terms.qty_scale
        bids, asks = (
            [(level[0] / price, level[1] / qty) for level in side[:count]]
            for side in self._venue.depth(0)
        )
        return bids, asks


class _Pass:
    """One strategy led through the messages."""

    def __init__(
        self,
        strategy: EventStrategy,
        context: _MessageContext,
        desk: _Desk,
        *,
        terms: Terms,
        units: Units,
        equity: NDArray[np.float64],
    ) -> None:
        self.strategy, self.context, self.desk = strategy, context, desk
        self.units, self.equity = units, equity
        self.told, self.callback = 0, "on_start"
        kind = type(strategy)
        self.hears_trades = kind.on_trade is not EventStrategy.on_trade
        self.hears_book = kind.on_book is not EventStrategy.on_book
        self.is_stepped = (
            self.hears_trades or self.hears_book or kind.on_fill is not EventStrategy.on_fill
        )
        self.terms = terms
        self.book = _Book(desk.venue, self.terms)

    def lead(self, tape: Tape, events: I64) -> None:
        """Run all callbacks; a failure of the strategy's code becomes a sentence."""
        try:
            self.context.now_ms = int(tape.history.ts_ms[0])
            self.strategy.on_start(self.context)
            self._lead_bars(tape, events)
            self.callback = "on_stop"
            self.strategy.on_stop(self.context)
        except Exception as error:
            if not is_the_strategys(error):
                raise
            words = str(error) if isinstance(error, InputError) else failure_words(error)
            raise InputError(
                f"strategy {self.strategy.name} fails in {self.callback} at "
                f"{format_ms(self.context.now_ms)}: {words}"
            ) from error

    def _lead_bars(self, tape: Tape, events: I64) -> None:
        closes = self.context.begin()
        ends = tape.history.ts_ms + tape.history.timeframe_ms
        cuts = np.searchsorted(events[:, event.V_TS], ends).tolist()
        start = 0
        for row, (end_ms, stop) in enumerate(zip(ends.tolist(), cuts, strict=True)):
            self._play(events[start:stop])
            start = stop
            # To just before the close: what arrives at it waits for the messages of its moment.
            self.desk.venue.advance(end_ms - 1)
            self.context.now_ms = end_ms
            self.context.index, self.context.close = row, float(closes[row])
            self._hear_fills()
            self.equity[row] = self.desk.equity()
            self.callback = "on_bar"
            self.strategy.on_bar(self.context)

    def _play(self, events: I64) -> None:
        """Play the messages of one bar back: at once, or moment by moment for who listens."""
        if not self.is_stepped or self.context.index < 0:
            self.desk.venue.replay(events)
            return
        stamps = events[:, event.V_TS]
        edges = np.flatnonzero(np.diff(stamps)) + 1
        for part in np.split(events, edges) if len(events) else ():
            self.desk.venue.replay(part)
            self.context.now_ms = int(part[0, event.V_TS])
            self._hear_fills()
            self._hear_market(part)

    def _hear_fills(self) -> None:
        self.context.refresh()
        if len(self.desk.fills) == self.told:
            return
        self.callback = "on_fill"
        for fill in FillTable(self.desk.fills.copy(), self.units).messages(self.told):
            self.told += 1
            self.strategy.on_fill(self.context, fill)

    def _hear_market(self, part: I64) -> None:
        is_trade = part[:, event.V_KIND] == event.TRADE
        if self.hears_trades:
            self.callback = "on_trade"
            for row in part[is_trade].tolist():
                self.strategy.on_trade(self.context, self._trade(row))
        if self.hears_book and (part[:, event.V_KIND] == event.LEVEL).any():
            self.callback = "on_book"
            self.strategy.on_book(self.context, self.book)

    def _trade(self, row: list[Any]) -> Trade:
        return Trade(
            self.terms.instrument_id,
            row[event.V_TS],
            row[event.V_SIDE],
            row[event.V_PRICE] / self.terms.price_scale,
            row[event.V_QTY] / self.terms.qty_scale,
        )
