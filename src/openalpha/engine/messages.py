"""Running an event strategy on recorded trades, with or without depth, message by message."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

import numpy as np

from openalpha.core.errors import InputError
from openalpha.core.reasons import Reason
from openalpha.engine.events import order_notes
from openalpha.engine.funding import Settlements
from openalpha.engine.grid import common_grid
from openalpha.engine.history_rows import rows_of
from openalpha.engine.rows import Row
from openalpha.engine.run import EngineRun, finished_run
from openalpha.engine.signals import EngineSettings
from openalpha.engine.step_messages import MessageStep
from openalpha.market.tape import Tape
from openalpha.strategy.events import EventStrategy
from openalpha.venue.kernel import book_market as event
from openalpha.venue.kernel.book_events import (
    depth_rows,
    funding_rows,
    in_time_order,
    mark_rows,
    trade_rows,
)
from openalpha.venue.kernel.layout import I64
from openalpha.venue.rules import fee_notes
from openalpha.venue.settings import FillSettings

__all__ = ["rows_of_tape", "run_messages", "settlements_of", "tape_events"]


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
    take it, latency counts. With `fills.feed` trades the book is what the last print says
    (`book_of_prints`). Callbacks come in order: fills, then trades, then the book of each moment;
    bars at their closes. Orders can be placed from the first closed bar on. With `risk.profile`
    live equity is followed at every moment of which the strategy hears.

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
        raise InputError(
            f"fills.feed = {settings.venue.fills.feed} plays one instrument back; {len(tapes)} "
            "were given"
        )
    tape = tapes[0]
    history = tape.history
    step = MessageStep(
        strategy,
        str(history.instrument.id),
        history.instrument,
        timeframe_ms=history.timeframe_ms,
        capital=capital,
        settings=settings,
    )
    step.begin(int(history.ts_ms[0]))
    equity = np.empty(len(history))
    journal = np.full((len(history), 1), int(Reason.NO_SIGNAL), dtype=np.int8)
    paid = settlements_of(tape, settings, funding=funding)
    for number, (row, events) in enumerate(rows_of_tape(tape, paid)):
        for _ in step.play(events):
            pass
        if number:
            journal[number - 1] = step.context.codes
        step.context.is_last = number + 1 == len(history)
        step.close(row)
        equity[number] = step.context.equity_units
    journal[-1] = step.context.codes
    step.stop()
    equity /= 10.0 ** step.account.units.coin_decimals[0]
    return finished_run(
        step.account.machine,
        step.account.units,
        grid=common_grid([history]),
        equity=equity,
        journal=journal,
        capital=capital,
        notes=[
            *(f"{history.instrument.id}: {note}" for note in history.notes),
            _played_note(tape, settings.venue.fills),
            *fee_notes([history.instrument], settings.venue.costs),
            *_latency_note(settings.venue.costs.latency_ms),
            *order_notes(step.context),
            *_deaf_note(step, settings.venue.fills),
        ],
    )


def settlements_of(
    tape: Tape, settings: EngineSettings, *, funding: Sequence[Settlements] | None = None
) -> Settlements | None:
    """Return the settlements a run on a tape pays; None where it pays none.

    Parameters
    ----------
    funding : sequence of (stamps, rates_e12), optional
        Settlements to use instead of the history's own.
    """
    if not settings.venue.costs.funding:
        return None
    own = (tape.history.funding_ts_ms, tape.history.funding_rate_e12)
    return own if funding is None else funding[0]


def rows_of_tape(tape: Tape, paid: Settlements | None) -> Iterator[tuple[Row, I64]]:
    """Yield each bar of a tape with the messages before its close that came after the last one's.

    Marks and settlements are among the messages, not in the rows.
    """
    events = tape_events(tape, paid)
    ends = tape.history.ts_ms + tape.history.timeframe_ms
    cuts = np.searchsorted(events[:, event.V_TS], ends).tolist()
    start = 0
    for row, stop in zip(rows_of([tape.history]), cuts, strict=True):
        yield Row(row.ts_ms, row.bars), events[start:stop]
        start = stop


def _deaf_note(step: MessageStep, fills: FillSettings) -> tuple[str, ...]:
    if fills.feed == "book" or not step.hears_book:
        return ()
    return ("on_book was never called: fills.feed = trades has no order book",)


def _played_note(tape: Tape, fills: FillSettings) -> str:
    mark = tape.fingerprint[:12]
    if fills.feed == "trades":
        return (
            f"{len(tape.trades):,} trades played back ({mark}): a taker gets at most what the last "
            "one traded, half the spread beside its price; orders at rest fill once one goes "
            "beyond them"
        )
    return (
        f"{len(tape.trades):,} trades and {len(tape.depth):,} levels played back "
        f"({mark}); spread, impact and participation are the book's own"
    )


def _latency_note(latency_ms: int) -> tuple[str, ...]:
    if latency_ms:
        return ()
    return (
        "no latency: orders act right after the message they answer, which flatters; set "
        "costs.latency_ms",
    )


def tape_events(tape: Tape, paid: Settlements | None) -> I64:
    """Return all messages of a tape in order; at one moment marks, funding, prints, depth.

    Parameters
    ----------
    tape : Tape
    paid : (stamps, rates_e12), optional
        Settlements.

    Returns
    -------
    int64[n, EVENT_COLS]
    """
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
