"""What the kernel would have done on the bars of a run's tape: the model that fills are held to."""

import json
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from openalpha.core.messages import EffectKind, Environment
from openalpha.core.units import from_units
from openalpha.store.run_log import FrameKind
from openalpha.trading.analysis.execution_log import NO_TERMS, RunSeen, Terms, terms_of
from openalpha.trading.orders.side import Input
from openalpha.trading.paper.desk import Desk
from openalpha.trading.run.feed_rows import row_payload
from openalpha.trading.run.plan import RunPlan
from openalpha.venue.kernel import layout as at

__all__ = ["ModelFill", "ModelRun", "model_run"]

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class ModelFill:
    """One fill of the kernel.

    Parameters
    ----------
    book : int
    instrument : str
    decided_ms : int
        Close of the row its order was decided at; of an exit, that of the entry it protects.
    is_exit : bool
        Whether it came from a stop, a target or a time exit, not from a decision.
    is_reduce_only : bool
    side : int
    qty, price, fee : Decimal
    ts_ms : int
    terms : Terms
        The prices that its order named; none for an exit.
    """

    book: int
    instrument: str
    decided_ms: int
    is_exit: bool
    is_reduce_only: bool
    side: int
    qty: Decimal
    price: Decimal
    fee: Decimal
    ts_ms: int
    terms: Terms = NO_TERMS


@dataclass(slots=True)
class ModelRun:
    """The model's fills, its targets as a live run's, and the funding it paid or received.

    `asked` holds instrument, close of the deciding row and terms of every order that it made.
    """

    fills: list[ModelFill] = field(default_factory=list)
    targets: dict[tuple[int, int], list[int]] = field(default_factory=dict)
    funding: Decimal = _ZERO
    asked: set[tuple[str, int, int, Terms]] = field(default_factory=set)


def model_run(plan: RunPlan, seen: RunSeen, *, folder: Path | None = None) -> ModelRun:
    """Lead the plan through a tape's rows on the kernel, as a backtest of these bars does.

    Parameters
    ----------
    plan : RunPlan
        Of any environment.
    seen : RunSeen
        Of the tape.
    folder : Path, optional
        The user's folder of strategy files.

    Raises
    ------
    InputError
        If a strategy was changed since the run began.
    """
    desk = Desk(replace(plan, environment=Environment.PAPER), folder=folder)
    reader = _Reader(plan, desk)
    payloads = [seen.warm] * bool(seen.warm) + [row_payload(row) for row in seen.rows]
    inputs = [
        (number, Input(FrameKind.FEED, payload, number))
        for number, payload in enumerate(payloads, 1)
    ]
    for outcome in desk.apply_many(inputs):
        for _, payload in outcome.outputs:
            reader.take(json.loads(payload))
    return reader.run


class _Reader:
    def __init__(self, plan: RunPlan, desk: Desk) -> None:
        self.run = ModelRun()
        self._plan, self._desk = plan, desk
        self._closes: dict[int, int] = {}
        self._orders: dict[tuple[int, str, int], tuple[int, bool, Terms]] = {}
        self._entered: dict[tuple[int, str], int] = {}

    def take(self, content: dict[str, Any]) -> None:
        if "codes" in content:
            self._closes[content["of"]] = content["ts"]
            self.run.targets[content["book"], content["ts"]] = content.get("targets", [])
        elif "order" in content:
            order = content["order"]
            key = (content["book"], order["instrument"], order["id"])
            decided_ms = self._closes[content["of"]]
            terms = terms_of(order.get("limit"), order.get("trigger"))
            self._orders[key] = (decided_ms, bool(order.get("reduce_only")), terms)
            self.run.asked.add((order["instrument"], decided_ms, order["side"], terms))
        elif "fill" in content:
            self._fill(content["book"], content["fill"])
        elif "effect" in content:
            self._effect(content["book"], content["effect"])

    def _fill(self, book: int, row: list[int]) -> None:
        units = self._desk.books[book].account.units
        instrument = units.instruments[row[at.F_INST]]
        name = str(instrument.id)
        found = self._orders.get((book, name, row[at.F_ORDER]))
        if found is not None and not found[1]:
            self._entered[book, name] = found[0]
        decided_ms = self._entered.get((book, name), 0) if found is None else found[0]
        qty = from_units(abs(row[at.F_QTY]), instrument.qty_decimals)
        self.run.fills.append(
            ModelFill(
                book=book,
                instrument=name,
                decided_ms=decided_ms,
                is_exit=found is None,
                is_reduce_only=found is None or found[1],
                side=1 if row[at.F_QTY] > 0 else -1,
                qty=qty,
                price=from_units(row[at.F_PRICE], instrument.price_decimals),
                fee=-from_units(row[at.F_FEE], units.coin_decimals[row[at.F_FEE_COIN]]),
                ts_ms=row[at.F_TS],
                terms=NO_TERMS if found is None else found[2],
            )
        )

    def _effect(self, book: int, row: list[int]) -> None:
        decimals = self._desk.books[book].account.units.coin_decimals
        if row[at.E_KIND] == EffectKind.FUNDING:
            self.run.funding += from_units(row[at.E_AMOUNT], decimals[row[at.E_COIN]])
