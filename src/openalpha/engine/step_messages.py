"""An event strategy led by the messages of its market, over history and as they come."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np

from openalpha.core.clock import format_ms
from openalpha.core.errors import InputError
from openalpha.core.instruments import Instrument
from openalpha.core.reasons import Reason
from openalpha.engine.bars_so_far import BarsSoFar, keep_row
from openalpha.engine.book_account import BookAccount, book_account
from openalpha.engine.events import check_event_run, is_the_strategys
from openalpha.engine.gate import RunningGate
from openalpha.engine.live_context import LiveContext
from openalpha.engine.print_book import book_of_prints
from openalpha.engine.rows import Row, Stepped
from openalpha.engine.signals import EngineSettings
from openalpha.engine.tables import FillTable
from openalpha.engine.terms import Terms
from openalpha.strategy.base import failure_words
from openalpha.strategy.events import EventStrategy, Trade
from openalpha.venue.kernel import book_market as event
from openalpha.venue.kernel import layout as at
from openalpha.venue.kernel.book_events import funding_rows, mark_rows
from openalpha.venue.kernel.exchange import BookMachine
from openalpha.venue.kernel.layout import I64

__all__ = ["Happened", "MessageStep"]


Happened = tuple[int, Stepped]
"""A moment of the market, UTC ms, and what it led to; `equity` is that of the moment."""


class MessageStep:
    """An account in the price-time book, led by what the market says and at each close of a bar.

    Callbacks come in order: fills, then trades, then the book of each moment; bars at their closes.
    Messages of one moment belong together; how many moments are handed over at once changes
    nothing. Orders can be placed from the first closed bar on.

    Parameters
    ----------
    strategy : EventStrategy
        A fresh object.
    key : str
        Role or id of the instrument.
    instrument : Instrument
    timeframe_ms : int
    capital : Decimal
    settings : EngineSettings
        `fills.feed` book takes depth and trades, trades makes a book of the last print.

    Raises
    ------
    InputError
        If settings cannot be used together, or the strategy's own code fails.
    """

    def __init__(
        self,
        strategy: EventStrategy,
        key: str,
        instrument: Instrument,
        *,
        timeframe_ms: int,
        capital: Decimal,
        settings: EngineSettings,
    ) -> None:
        check_event_run([instrument], capital, settings=settings)
        self.strategy = strategy
        self.account: BookAccount = book_account(
            instrument, timeframe_ms=timeframe_ms, capital=capital, settings=settings.venue
        )
        self._venue, self._timeframe_ms = self.account.venue, timeframe_ms
        self._pays_funding = settings.venue.costs.funding
        self._has_depth = settings.venue.fills.feed == "book"
        self.so_far = [BarsSoFar(instrument, timeframe_ms)]
        self.context = _MessageContext(strategy, {key: self.so_far[0]}, self.account)
        self._terms = self.context.terms
        if settings.risk.profile == "live":
            self.context.gate = RunningGate(
                settings.risk, self.account.machine, self.account.units.coin_decimals[0]
            )
        kind = type(strategy)
        self.hears_trades = kind.on_trade is not EventStrategy.on_trade
        self.hears_book = kind.on_book is not EventStrategy.on_book
        self._hears_fills = kind.on_fill is not EventStrategy.on_fill
        self._is_stepped = self.hears_trades or self.hears_book or self._hears_fills
        self._book = _Book(self._venue, self._terms)
        self._told, self._since = 0, self.account.counters()
        self.is_stale = False

    def begin(self, now_ms: int) -> None:
        """Let the strategy prepare."""
        self.context.now_ms = now_ms
        self._call("on_start")

    def hear(self, events: I64, *, is_silent: bool = False) -> list[Happened]:
        """Lead the account through messages; returns the moments at which something happened.

        Parameters
        ----------
        events : int64[n, EVENT_COLS]
            As `book_events` makes them; prints as they were.
        is_silent : bool
            Do not ask the strategy: the run is being closed.

        Raises
        ------
        InputError
            If the strategy's own code fails: names it, the callback and the moment.
        """
        found = []
        for now_ms in self.play(events, is_silent=is_silent):
            step = self._taken(now_ms)
            if _tells(step):
                found.append((now_ms, step))
        return found

    def play(self, events: I64, *, is_silent: bool = False) -> Iterator[int]:
        """Lead the account through messages; yields each moment once its callbacks are done."""
        if not len(events):
            return
        if not self._is_stepped or self.context.index < 0 or is_silent:
            self._replay(events)
            self._see(int(events[-1, event.V_TS]))
            yield self.context.now_ms
            return
        edges = np.flatnonzero(np.diff(events[:, event.V_TS])) + 1
        for part in np.split(events, edges):
            self._replay(part)
            self._see(int(part[0, event.V_TS]))
            if not self.is_stale:
                self._decide(part)
            yield self.context.now_ms

    def lead(self, row: Row, *, is_silent: bool = False) -> Stepped:
        """Lead the account to the close of a bar, let the strategy decide, return what happened."""
        self.close(row, is_silent=is_silent)
        return self._taken(self.context.now_ms, codes=True)

    def close(self, row: Row, *, is_silent: bool = False) -> None:
        """Lead the account to the close of a bar, and let the strategy decide there."""
        context, end_ms = self.context, row.ts_ms + self._timeframe_ms
        self._settle(row)
        keep_row(self.so_far, row)
        if not self.is_stale:
            # To just before the close: what arrives at it waits for the messages of its moment.
            self._venue.advance(end_ms - 1)
        self._since = self.account.counters()
        equity = float(self._venue.equity(0))
        last = np.array([row.bars[0] or (0,) * at.BAR_COLS], dtype=np.int64)
        now_ms = max(end_ms, context.now_ms)
        context.show(row, now_ms=now_ms, last=last, equity_units=equity)
        if context.gate is not None:
            context.gate.add(context.now_ms, equity)
        if is_silent:
            return
        if self.is_stale:
            context.codes = [int(Reason.BREAKER_STALE)]
            return
        self._hear_fills()
        self._call("on_bar")
        self._guard()

    def go_stale(self) -> None:
        """Take in that the market is not heard: nothing is decided until a whole book has come.

        Where only trades are listened to, the next one is enough.
        """
        self.is_stale = True

    def remember(self, rows: Sequence[Row]) -> None:
        """Take in rows of before the run: `history` shows them, and they count as warm-up."""
        for row in rows:
            keep_row(self.so_far, row)
        self.context.silent_bars = max(self.context.silent_bars - len(rows), 0)

    def transfer(self, amount: int, ts_ms: int) -> None:
        """Book money moved in (+) or out (-) at a row's close; see `SignalStep.transfer`."""
        before = self._venue.equity(0)
        self._venue.transfer(0, 0, ts_ms, amount)
        if self.context.gate is not None:
            self.context.gate.rescale(1.0 + amount / before)

    @property
    def is_halted(self) -> bool:
        """Whether equity fell too far from its highest: it is closed for good."""
        return self.context.gate is not None and self.context.gate.is_halted

    def pause(self, is_paused: bool) -> None:
        """Refuse whatever would open or add, or allow it again."""
        self.context.is_paused = is_paused

    def stop(self) -> None:
        """Tell the strategy that the run ends."""
        self._call("on_stop")

    def _replay(self, events: I64) -> None:
        """Let the market act; a book that was not heard is whole again with its next snapshot."""
        if self.is_stale:
            sign = event.SNAPSHOT_END if self._has_depth else event.TRADE
            self.is_stale = not bool((events[:, event.V_KIND] == sign).any())
        if not self._has_depth:
            steps = self._venue.instruments[0].steps
            events = book_of_prints(events, half_spread_e8=self.account.half_spread_e8, steps=steps)
        self._venue.replay(events)

    def _settle(self, row: Row) -> None:
        """Let marks and settlements a row carries act, where the market's messages had none."""
        if row.mark and row.mark[0] is not None:
            stamp = np.array([self._venue.now_ms])
            self._venue.replay(mark_rows(0, stamp, np.array([row.mark[0][3]])))
        if row.funding and self._pays_funding:
            stamps, rates = np.array([(ts, rate) for _, ts, rate in row.funding]).T
            self._venue.replay(funding_rows(0, np.maximum(stamps, self._venue.now_ms), rates))

    def _see(self, ts_ms: int) -> None:
        """Move on to a moment between two closes."""
        context = self.context
        self._since = self.account.counters()
        if context.index < 0:
            return
        context.now_ms = max(context.now_ms, ts_ms)
        if context.gate is not None and self._is_stepped:
            context.gate.add(context.now_ms, float(self._venue.equity(0)))

    def _decide(self, part: I64) -> None:
        self._hear_fills()
        is_trade = part[:, event.V_KIND] == event.TRADE
        if self.hears_trades and is_trade.any():
            for row in part[is_trade].tolist():
                self._call("on_trade", self._trade(row))
        is_change = (event.LEVEL, event.SNAPSHOT_END)
        if self.hears_book and np.isin(part[:, event.V_KIND], is_change).any():
            self._call("on_book", self._book)
        self._guard()

    def _hear_fills(self) -> None:
        self.context.refresh()
        count = self._venue.arena.item(at.H_N_FILLS)
        if count == self._told:
            return
        rows, first = self._venue.fills[self._told :].copy(), self.account.fills + self._told
        self._told = count
        if self._hears_fills:
            for fill in FillTable(rows, self.account.units).messages():
                self._call("on_fill", replace(fill, seq=fill.seq + first))

    def _guard(self) -> None:
        if self.context.gate is not None and self.context.gate.is_halted:
            self.context.flatten()

    def _taken(self, now_ms: int, *, codes: bool = False) -> Stepped:
        """Return what was written and commanded since; between closes codes of deeds alone."""
        context, commanded = self.context, self.account.commanded(now_ms, self._since)
        told = tuple(context.codes)
        if not codes and told == context.told_codes:
            told = ()
        context.told_codes = tuple(context.codes)
        written = self.account.take_written()
        self._told = 0
        return Stepped(float(self._venue.equity(0)), told, written, commanded)

    def _trade(self, row: list[Any]) -> Trade:
        return Trade(
            self._terms.instrument_id,
            row[event.V_TS],
            row[event.V_SIDE],
            row[event.V_PRICE] / self._terms.price_scale,
            row[event.V_QTY] / self._terms.qty_scale,
        )

    def _call(self, callback: str, *arguments: object) -> None:
        """Call one of the strategy's callbacks; a failure of its code becomes a sentence."""
        try:
            getattr(self.strategy, callback)(self.context, *arguments)
        except Exception as error:
            if not is_the_strategys(error):
                raise
            words = str(error) if isinstance(error, InputError) else failure_words(error)
            raise InputError(
                f"strategy {self.strategy.name} fails in {callback} at "
                f"{format_ms(self.context.now_ms)}: {words}"
            ) from error


def _tells(step: Stepped) -> bool:
    """Say whether a moment between two closes is worth a line in the log."""
    written, commanded = step.written, step.commanded
    is_written = len(written.fills) or len(written.effects) or len(written.done)
    is_ordered = commanded.ordered or commanded.withdrawn or commanded.changed
    return bool(is_written or is_ordered or step.codes)


class _MessageContext(LiveContext):
    """The context between two bars: time, position and equity are those of the last message."""

    told_codes: tuple[int, ...] = ()
    is_last = False

    def refresh(self) -> None:
        # The book's memory moves when it grows.
        arena = self._machine.arena
        account = int(arena[at.H_ACCTS_AT])
        self._leg = account + int(arena[account + at.AC_LEGS_AT])
        self._balance = account + at.AC_BALANCES
        super().refresh()

    def show(self, row: Row, *, now_ms: int, last: I64, equity_units: float) -> None:
        super().show(row, now_ms=now_ms, last=last, equity_units=equity_units)
        self.told_codes = tuple(self.codes)

    @property
    def equity(self) -> float:
        """Cash and open profit, account currency."""
        return self._machine.equity() / self._cash_scale

    @property
    def terms(self) -> Terms:
        """Of the instrument."""
        return self._terms[0]

    def _submit(self, number: int, ts_ms: int, made: Any) -> int:
        self.late_orders += self.is_last
        return super()._submit(number, ts_ms, made)

    def _last_price(self, number: int) -> int:
        account: Any = self._machine
        return int(account.venue.last(number)) or super()._last_price(number)


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
