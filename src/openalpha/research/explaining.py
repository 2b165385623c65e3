"""Why a backtest did or did not trade: each bar's decision in words, from its run folder alone."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from openalpha.core.clock import format_ms, parse_timeframe
from openalpha.core.errors import InputError
from openalpha.core.orders import OrderStatus
from openalpha.core.reasons import Reason, explain
from openalpha.store.runs import StoredRun

__all__ = ["Decision", "FirstDifference", "Journal", "first_difference", "gate_of"]

_QUIET = (Reason.NO_SIGNAL, Reason.UNCHANGED)
_GATES: dict[str, tuple[Reason, ...]] = {
    "signal": (Reason.NONE, *_QUIET),
    "warm-up": (Reason.WARM_UP,),
    "market": (Reason.MISSING_BAR, Reason.ZERO_VOLUME, Reason.PARTICIPATION),
    "sizing": (Reason.BELOW_LOT, Reason.TOO_LARGE_FOR_UNITS, Reason.ABOVE_MAX_QTY),
    "minimum order": (Reason.BELOW_MIN_QTY, Reason.BELOW_MIN_NOTIONAL),
    "margin": (Reason.INSUFFICIENT_MARGIN, Reason.INSUFFICIENT_BALANCE, Reason.BANKRUPT),
    "ordered": (Reason.ORDERED, Reason.ORDERED_BY_PERSON),
}
_GATE_OF = {reason: gate for gate, reasons in _GATES.items() for reason in reasons}


def gate_of(reason: Reason | int) -> str:
    """Return which gate of a decision a reason belongs to.

    Examples
    --------
    >>> gate_of(Reason.BELOW_MIN_NOTIONAL), gate_of(Reason.MAX_TRADES), gate_of(Reason.OFF_TICK)
    ('minimum order', 'limits', 'venue')
    """
    code = Reason(reason)
    return _GATE_OF.get(code, "limits" if code >= Reason.NO_SIGNAL else "venue")


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided for one instrument at the close of one bar.

    Parameters
    ----------
    time, bar : str
        The bar's close, when it was decided, and its open.
    instrument : str
    gate : str
        How far it came: signal, warm-up, market, sizing, limits, minimum order, margin, venue
        (refused by its rules), or ordered.
    reason : str
        The reason's name.
    in_words : str
        The decision and what became of its orders.
    held : float
        Signed quantity held before it.
    equity : float
    orders : sequence of dict
        Those made then, with status and fills.
    """

    time: str
    bar: str
    instrument: str
    gate: str
    reason: str
    in_words: str
    held: float
    equity: float
    orders: Sequence[dict[str, Any]] = field(default_factory=list)


class Journal:
    """The decisions of one stored backtest.

    Parameters
    ----------
    run : StoredRun

    Raises
    ------
    UnknownName
        If the run kept no journal.
    """

    def __init__(self, run: StoredRun) -> None:
        self.run = run
        self.record = run.record
        frame = run.frame("journal")
        self.ts_ms = frame["ts_ms"].to_numpy()
        self.instruments = [name for name in frame.columns if name != "ts_ms"]
        self.codes: NDArray[np.int32] = frame.select(self.instruments).to_numpy()
        names = {item["timeframe"] for item in self.record["data"].values()}
        self.timeframe_ms = min(parse_timeframe(name) for name in names)

    @cached_property
    def orders(self) -> pl.DataFrame:
        """The orders that ended, in the order they were made."""
        return self.run.frame("orders").sort("created_ts_ms", "id", maintain_order=True)

    @cached_property
    def fills(self) -> pl.DataFrame:
        """The fills."""
        return self.run.frame("fills")

    @cached_property
    def _equity(self) -> NDArray[np.float64]:
        return self.run.frame("equity")["equity"].to_numpy()

    def row_at(self, ts_ms: int) -> int:
        """Return the row of the bar that holds a moment.

        Raises
        ------
        InputError
            If the run has no bar there.
        """
        row = int(np.searchsorted(self.ts_ms, ts_ms, side="right")) - 1
        if row < 0 or ts_ms >= int(self.ts_ms[row]) + self.timeframe_ms:
            first, last = (format_ms(int(self.ts_ms[at])) for at in (0, -1))
            raise InputError(
                f"{format_ms(ts_ms)} lies in no bar of run {self.run.id}; they open from {first} "
                f"to {last}"
            )
        return row

    def at(self, row: int) -> list[Decision]:
        """Return the decisions at the close of one bar, an instrument each."""
        return [self.decision(row, number) for number in range(len(self.instruments))]

    def decision(self, row: int, number: int) -> Decision:
        """Return the decision for one instrument at the close of one bar."""
        reason, name = Reason(int(self.codes[row, number])), self.instruments[number]
        close_ms = int(self.ts_ms[row]) + self.timeframe_ms
        made = self.orders.filter(
            (pl.col("created_ts_ms") == close_ms) & (pl.col("instrument") == name)
        )
        orders = [self._order(order) for order in made.to_dicts()]
        refused = [order for order in orders if order["status"] == "rejected"]
        gate, shown, words = gate_of(reason), reason, explain(reason)
        if reason is Reason.ORDERED and refused and len(refused) == len(orders):
            shown = Reason[refused[0]["reason"].upper()]
            gate = gate_of(shown)
        words += "".join(f"; {order['in_words']}" for order in orders)
        if reason is Reason.UNCHANGED and (before := self._before(row, number)):
            words += f", the last one being of {before}"
        return Decision(
            time=format_ms(close_ms),
            bar=format_ms(int(self.ts_ms[row])),
            instrument=name,
            gate=gate,
            reason=shown.name.lower(),
            in_words=words,
            held=self._held(name, close_ms),
            equity=float(self._equity[row]),
            orders=orders,
        )

    def first_missed(self) -> Decision | None:
        """Return the first decision that wanted to trade and could not; None if all could."""
        is_missed = ~np.isin(self.codes, [int(code) for code in (*_QUIET, Reason.ORDERED)])
        rows = np.flatnonzero(is_missed.any(axis=1))
        first = int(rows[0]) if len(rows) else len(self.ts_ms)
        refused = self.orders.filter(pl.col("status") == int(OrderStatus.REJECTED))
        for order in refused.to_dicts()[:1]:
            row = self.row_at(order["created_ts_ms"] - 1)
            if row <= first:
                return self.decision(row, self.instruments.index(order["instrument"]))
        if first == len(self.ts_ms):
            return None
        return self.decision(first, int(np.argmax(is_missed[first])))

    def counts(self) -> dict[str, int]:
        """Return how often each reason was a bar's, in words, most frequent first."""
        codes, counts = np.unique(self.codes, return_counts=True)
        found = Counter({explain(int(c)): int(n) for c, n in zip(codes, counts, strict=True)})
        return dict(found.most_common())

    def mattering(self, limit: int) -> list[Decision]:
        """Return the last decisions that changed or wanted to change something, oldest first."""
        quiet = [int(code) for code in (*_QUIET, Reason.WARM_UP)]
        rows, numbers = np.nonzero(~np.isin(self.codes, quiet))
        last = zip(rows[-limit:].tolist(), numbers[-limit:].tolist(), strict=True)
        return [self.decision(row, number) for row, number in last]

    def _before(self, row: int, number: int) -> str:
        rows = np.flatnonzero(self.codes[:row, number] == int(Reason.ORDERED))
        return format_ms(int(self.ts_ms[rows[-1]]) + self.timeframe_ms) if len(rows) else ""

    def _held(self, name: str, ts_ms: int) -> float:
        before = self.fills.filter((pl.col("instrument") == name) & (pl.col("ts_ms") < ts_ms))
        held = float((before["side"] * before["qty"]).sum())
        return round(held, 12)

    def _order(self, order: dict[str, Any]) -> dict[str, Any]:
        status = OrderStatus(order["status"]).name.lower()
        reason = Reason(order["reason"])
        side = "buy" if order["side"] > 0 else "sell"
        fills = self.fills.filter(pl.col("order_id") == order["id"])
        words = f"order {order['id']} to {side} {order['qty']:g}"
        words += " and only reduce" if order["is_reduce_only"] else ""
        if order["limit"]:
            words += f" at {order['limit']:g}"
        if order["trigger"]:
            words += f" once {order['trigger']:g} is reached"
        if status == "rejected":
            words += f" was refused: {explain(reason)}"
        elif len(fills):
            notional, qty = float(fills["notional"].sum()), float(fills["qty"].sum())
            mean = float((fills["price"] * fills["qty"]).sum()) / qty
            when = format_ms(int(fills["ts_ms"][0]))
            words += f" filled {qty:g} at {mean:.10g} from {when} (worth {notional:,.2f})"
        else:
            words += f" ended {status} unfilled: {explain(reason)}"
        return {
            "id": order["id"], "side": side, "qty": order["qty"], "filled": order["filled"],
            "limit": order["limit"], "trigger": order["trigger"], "status": status,
            "reason": reason.name.lower(), "in_words": words,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class FirstDifference:
    """Where two runs part: the moment, the gate, and each one's decision in words."""

    time: str
    instrument: str
    gate: str
    one: str
    other: str


def first_difference(one: Journal, other: Journal) -> FirstDifference | None:
    """Return the first gate at which two backtests differ; None if they decided the same.

    Decisions are compared on the bars both have, then the orders made, then their fills.

    Raises
    ------
    InputError
        If they have no instrument or no bar in common.
    """
    names = [name for name in one.instruments if name in other.instruments]
    _, mine, yours = np.intersect1d(one.ts_ms, other.ts_ms, return_indices=True)
    if not names or not len(mine) or one.timeframe_ms != other.timeframe_ms:
        raise InputError(
            f"runs {one.run.id} and {other.run.id} share no bars of one instrument and time frame"
        )
    found = [*_codes(one, other, names, (mine, yours)), *_rows(one, other, names)]
    return min(found, key=lambda item: item.time, default=None)


def _codes(
    one: Journal, other: Journal, names: Sequence[str], rows: tuple[Any, Any]
) -> Iterator[FirstDifference]:
    mine, yours = rows
    for name in names:
        at, there = one.instruments.index(name), other.instruments.index(name)
        apart = np.flatnonzero(one.codes[mine, at] != other.codes[yours, there])
        if len(apart):
            here = one.decision(int(mine[apart[0]]), at)
            theirs = other.decision(int(yours[apart[0]]), there)
            # The one that did not get as far names the gate.
            gate = theirs.gate if here.gate == "ordered" else here.gate
            yield FirstDifference(here.time, name, gate, here.in_words, theirs.in_words)


_ORDER = ("created_ts_ms", "side", "order_type", "qty", "limit", "trigger", "status", "reason")
_FILL = ("ts_ms", "side", "price", "qty", "fee", "reason")
_SIZES = ("qty",)


def _rows(one: Journal, other: Journal, names: Sequence[str]) -> Iterator[FirstDifference]:
    start = max(int(one.ts_ms[0]), int(other.ts_ms[0]))
    end = min(int(one.ts_ms[-1]), int(other.ts_ms[-1])) + one.timeframe_ms
    for kind, columns in (("orders", _ORDER), ("fills", _FILL)):
        stamp = columns[0]
        for name in names:
            wanted = (pl.col("instrument") == name) & pl.col(stamp).is_between(start, end)
            mine, yours = (
                getattr(side, kind).filter(wanted).select(columns).rows(named=True)
                for side in (one, other)
            )
            for here, there in zip([*mine, None], [*yours, None], strict=False):
                if here != there:
                    yield _apart(kind, name, stamp, here, there)
                    break


def _apart(
    kind: str, name: str, stamp: str, one: dict[str, Any] | None, other: dict[str, Any] | None
) -> FirstDifference:
    known = [row for row in (one, other) if row is not None]
    gate = "fill" if kind == "fills" else "order"
    if one is not None and other is not None:
        columns = [column for column in one if one[column] != other[column]]
        if columns[0] in _SIZES:
            gate = "sizing"
        elif any(row.get("trigger") for row in known):
            gate = "exit order"
        elif columns[0] in {"status", "reason"}:
            gate = "venue"
    when = format_ms(min(row[stamp] for row in known))
    return FirstDifference(when, name, gate, _row_words(one, kind), _row_words(other, kind))


def _row_words(row: dict[str, Any] | None, kind: str) -> str:
    if row is None:
        return f"no such {kind.removesuffix('s')}"
    side = "buy" if row["side"] > 0 else "sell"
    text = f"{side} {row['qty']:g}"
    if kind == "fills":
        return f"{text} at {row['price']:.10g}, fee {row['fee']:.6g}: {explain(row['reason'])}"
    if row["trigger"]:
        text = f"{side} once {row['trigger']:.10g} is reached"
    status = OrderStatus(row["status"]).name.lower()
    return f"{text}, {status}: {explain(row['reason'])}"
