"""What a desk writes into the log: decisions, intents, and what the venue did, as bytes."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from openalpha.core.instruments import Instrument
from openalpha.core.units import from_units
from openalpha.engine.rows import Stepped, Written
from openalpha.store.run_log import FrameKind, canonical_json
from openalpha.venue.kernel import layout as at
from openalpha.venue.kernel.layout import I64

__all__ = ["Output", "notes_of_step", "notes_of_written"]

Output = tuple[FrameKind, bytes]

_TYPES = ("market", "limit")
_TRIGGERS = ("none", "stop", "take_profit", "trailing")
_TIFS = ("GTC", "IOC", "FOK", "POST_ONLY")
_EXITS = (
    ("stop_e6", at.O_X_STOP),
    ("take_profit_e6", at.O_X_TP),
    ("trailing_e6", at.O_X_TRAIL),
    ("activation_e6", at.O_X_ACTIVATION),
    ("time_exit_ms", at.O_X_TIME),
)


def notes_of_step(
    seq: int,
    step: Stepped,
    *,
    book: int,
    ts_ms: int,
    targets: Sequence[int],
    instruments: Sequence[Instrument],
) -> Iterator[Output]:
    """Yield the frames of one sub-book's step: its decision, its intents, what was executed.

    Parameters
    ----------
    seq : int
        The input that caused it.
    book : int
        Which sub-book.
    ts_ms : int
        The row's close.
    targets : sequence of int
        What the strategy wanted; empty for a strategy that orders.
    """
    whose = {"of": seq, "book": book}
    decision: dict[str, Any] = {**whose, "ts": ts_ms, "codes": step.codes, "equity": step.equity}
    if targets:
        decision["targets"] = targets
    if step.codes:  # between two closes there may be none
        yield FrameKind.DECISION, canonical_json(decision)
    commanded = step.commanded
    for number, order in commanded.ordered:
        content = {**whose, "order": _order(order, instruments[number])}
        yield FrameKind.INTENT, canonical_json(content)
    for number, order_id in commanded.withdrawn:
        content = {**whose, "cancel": {"id": order_id, "instrument": instruments[number].id}}
        yield FrameKind.INTENT, canonical_json(content)
    for number, order in commanded.changed:
        content = {**whose, "change": _change(order, instruments[number])}
        yield FrameKind.INTENT, canonical_json(content)
    yield from notes_of_written(seq, step.written, book=book)


def notes_of_written(seq: int, written: Written, *, book: int) -> Iterator[Output]:
    """Yield the frames of what the kernel wrote: executions, cash effects, ended orders.

    Parameters
    ----------
    seq : int
        The input that caused it.
    written : Written
    book : int
        Which sub-book.
    """
    whose = {"of": seq, "book": book}
    tables = (
        ("fill", written.fills, written.first_fill),
        ("effect", written.effects, written.first_effect),
        ("ended", written.done, written.first_done),
    )
    for name, rows, first in tables:
        for n, row in enumerate(rows.tolist(), first):
            yield FrameKind.NOTE, canonical_json({**whose, name: row, "n": n})


def _order(order: I64, instrument: Instrument) -> dict[str, Any]:
    d = instrument.price_decimals
    row: dict[str, Any] = {
        "id": int(order[at.O_ID]),
        "instrument": instrument.id,
        "side": int(order[at.O_SIDE]),
        "qty": _text(from_units(int(order[at.O_QTY]), instrument.qty_decimals)),
        "type": _TYPES[int(order[at.O_TYPE])],
    }
    if order[at.O_WHOLE]:
        row["qty"] = "all"
    if order[at.O_REDUCE]:
        row["reduce_only"] = True
    if order[at.O_TIF]:
        row["tif"] = _TIFS[int(order[at.O_TIF])]
    if order[at.O_LIMIT]:
        row["limit"] = _text(from_units(int(order[at.O_LIMIT]), d))
    if order[at.O_TKIND]:
        row["trigger_kind"] = _TRIGGERS[int(order[at.O_TKIND])]
        row["trigger"] = _text(from_units(int(order[at.O_TRIGGER]), d))
    exits = {name: int(order[column]) for name, column in _EXITS if order[column]}
    return row | ({"exits": exits} if exits else {})


def _change(order: I64, instrument: Instrument) -> dict[str, Any]:
    d, q = instrument.price_decimals, instrument.qty_decimals
    terms = (("qty", at.O_A_QTY, q), ("limit", at.O_A_LIMIT, d), ("trigger", at.O_A_TRIGGER, d))
    given = {
        name: _text(from_units(int(order[column]), decimals))
        for name, column, decimals in terms
        if order[column]
    }
    return {"id": int(order[at.O_ID]), "instrument": instrument.id, **given}


def _text(value: Decimal) -> str:
    return f"{value.normalize():f}"
