"""The crises a run is led through, and the shocks struck where it holds most."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from openalpha.core.clock import DAY_MS, HOUR_MS, format_ms, parse_ms
from openalpha.core.instruments import Kind
from openalpha.engine.signals import EngineSettings
from openalpha.market.history import History
from openalpha.research.drawdown import drawdowns
from openalpha.research.liquidation import nearest
from openalpha.venue.rules import REALISTIC_SPREAD_BPS

if TYPE_CHECKING:
    from openalpha.research.measured import MeasuredRun

__all__ = [
    "CRISES", "Crisis", "Passage", "Shock", "crises_in", "passage_of",
    "shocks",
]  # fmt: skip

_FUNDING_E12 = 5 * 10**9


@dataclass(frozen=True, slots=True)
class Crisis:
    """A stretch of days people remember: [start, end), UTC dates."""

    name: str
    start: str
    end: str


CRISES = (
    Crisis("COVID crash", "2020-03-11", "2020-03-20"),
    Crisis("May 2021 liquidations", "2021-05-18", "2021-05-25"),
    Crisis("December 2021 flash fall", "2021-12-03", "2021-12-06"),
    Crisis("Terra and UST", "2022-05-07", "2022-05-16"),
    Crisis("June 2022 deleveraging", "2022-06-10", "2022-06-21"),
    Crisis("FTX", "2022-11-06", "2022-11-15"),
    Crisis("USDC off its peg", "2023-03-10", "2023-03-14"),
    Crisis("August 2024 carry unwind", "2024-08-02", "2024-08-08"),
    Crisis("October 2025 liquidations", "2025-10-09", "2025-10-14"),
)


@dataclass(frozen=True, slots=True)
class Passage:
    """How a run came through something.

    Parameters
    ----------
    name : str
    when : str
    total_return, max_drawdown : float
        Over the crisis' days, or of the whole run made again under a shock.
    distance : float
        The smallest price move against everything held that would have begun a liquidation, as a
        fraction; infinite where nothing was held or nothing can be liquidated.
    is_liquidated : bool
    change : float
        Of a shock: its total return less the run's own. NaN for a crisis.
    """

    name: str
    when: str
    total_return: float
    max_drawdown: float
    distance: float
    is_liquidated: bool
    change: float = math.nan


@dataclass(frozen=True, slots=True, eq=False)
class Shock:
    """A run's circumstances made worse.

    Parameters
    ----------
    name, when : str
    histories : mapping
    settings : EngineSettings
    """

    name: str
    when: str
    histories: Mapping[str, History]
    settings: EngineSettings


def crises_in(result: "MeasuredRun") -> list[Passage]:
    """Return how a run came through each crisis that the data of every instrument holds whole."""
    run = result.run
    closes = run.ts_ms + run.timeframe_ms
    found = []
    for crisis in CRISES:
        start, end = parse_ms(crisis.start), parse_ms(crisis.end)
        first, stop = np.searchsorted(closes, [start, end], side="right").tolist()
        held = result.context.histories.values()
        if any(int(h.ts_ms[0]) > start or h.end_ms < end for h in held) or stop - first < 2:
            continue
        before = float(run.equity[first - 1]) if first else float(run.capital)
        part = run.equity[first:stop]
        found.append(
            Passage(
                crisis.name, f"{crisis.start} to {crisis.end}", float(part[-1]) / before - 1,
                float(drawdowns(part, before).max()),
                nearest(result, start=first, stop=stop), _was_liquidated(result),
            )
        )  # fmt: skip
    return found


def shocks(
    result: "MeasuredRun", histories: Mapping[str, History], *, settings: EngineSettings
) -> list[Shock]:
    """Return shocks for a run, struck where it held most money's worth.

    Gaps go against what is held then on the whole, funding against each position; the bars after
    them move on from there. A halt keeps the prices of its bars and takes their volume. Nothing is
    struck where nothing was ever held.
    """
    run = result.run
    if not len(run.exposure) or run.exposure.max() <= 0:
        return []
    bar = int((run.exposure * run.equity).argmax())
    at_ms = int(run.ts_ms[bar])
    held = _held(result, histories, bar)
    side = -1 if sum(held) < 0 else 1
    when = format_ms(at_ms)
    found = []
    for size in (20, 50):
        factor = 1 - side * size / 100
        moved = {
            name: _gapped(h, at_ms + run.timeframe_ms, factor) for name, h in histories.items()
        }
        found.append(Shock(f"gap of {'−' if side > 0 else '+'}{size} %", when, moved, settings))
    costs = settings.venue.costs
    spread = costs.spread_bps if costs.spread_bps is not None else REALISTIC_SPREAD_BPS
    wide = replace(costs, spread_bps=min(Decimal(5_000), Decimal(spread) * 10))
    wider = replace(settings, venue=replace(settings.venue, costs=wide))
    found.append(Shock("spread × 10", "throughout", histories, wider))
    if any(h.instrument.kind is not Kind.SPOT for h in histories.values()):
        paying = {
            name: _funded(h, at_ms, -1 if mine < 0 else 1)
            for (name, h), mine in zip(histories.items(), held, strict=True)
        }
        found.append(Shock("funding of 0.5 % every 8 h for three days", when, paying, settings))
    halted = {name: _halted(h, at_ms + run.timeframe_ms) for name, h in histories.items()}
    found.append(Shock("halt of 24 h", when, halted, settings))
    if len(histories) > 1:
        found.append(Shock("every instrument moves as the first", "throughout",
                           _together(histories), settings))  # fmt: skip
    return found


def passage_of(shock: Shock, after: "MeasuredRun", *, base: float) -> Passage:
    """Return how the run made again under a shock came out."""
    made = after.metrics
    return Passage(
        shock.name, shock.when, made["total_return"], made["max_drawdown"],
        nearest(after), _was_liquidated(after),
        made["total_return"] - base,
    )  # fmt: skip


def _was_liquidated(result: "MeasuredRun") -> bool:
    return result.metrics["liquidation_fees"] > 0


def _held(result: "MeasuredRun", histories: Mapping[str, History], bar: int) -> list[float]:
    """Return what is held of each instrument at a bar's close, signed, in its quote's worth."""
    fills = result.fill_columns
    until = int(result.run.ts_ms[bar]) + result.run.timeframe_ms
    found = []
    for number, history in enumerate(histories.values()):
        mine = (fills.instrument == number) & (fills.ts_ms < until)
        row = int(np.searchsorted(history.ts_ms, until)) - 1
        scale = 10.0 ** -(history.instrument.qty_decimals + history.instrument.price_decimals)
        units = float(fills.held_units[mine].sum())
        found.append(units * float(history.bars[max(row, 0), 3]) * scale)
    return found


def _changed(history: History, bars: NDArray[np.int64], **parts: Any) -> History:
    given = {"mark": history.mark, "index": history.index, "funding": history.known_funding}
    return History.of(
        history.instrument, history.timeframe_ms, ts_ms=history.ts_ms, bars=bars,
        notes=history.notes, **{**given, **parts},
    )  # fmt: skip


def _gapped(history: History, from_ms: int, factor: float) -> History:
    row = int(np.searchsorted(history.ts_ms, from_ms))

    def moved(prices: NDArray[np.int64]) -> NDArray[np.int64]:
        out = prices.copy()
        out[row:, :4] = np.maximum(np.rint(out[row:, :4] * factor), 1)
        return out

    mark, index = (None if s is None else moved(s) for s in (history.mark, history.index))
    return _changed(history, moved(history.bars), mark=mark, index=index)


def _halted(history: History, from_ms: int) -> History:
    rows = (history.ts_ms >= from_ms) & (history.ts_ms < from_ms + DAY_MS)
    bars = history.bars.copy()
    bars[rows, 4] = 0
    return _changed(history, bars)


def _funded(history: History, at_ms: int, side: int) -> History:
    if history.instrument.kind is Kind.SPOT:
        return history
    stamps, rates = (part.copy() for part in history.known_funding)
    first = -(-at_ms // (8 * HOUR_MS)) * 8 * HOUR_MS
    due = first + 8 * HOUR_MS * np.arange(9, dtype=np.int64)
    keep = (stamps < due[0]) | (stamps > due[-1])
    every = np.concatenate([stamps[keep], due])
    values = np.concatenate([rates[keep], np.full(len(due), side * _FUNDING_E12, dtype=np.int64)])
    order = np.argsort(every, kind="stable")
    return _changed(history, history.bars, funding=(every[order], values[order]))


def _together(histories: Mapping[str, History]) -> dict[str, History]:
    """Give every instrument the moves of the first, from its own first price on."""
    lead = next(iter(histories.values()))
    found = {}
    for name, history in histories.items():
        rows = np.searchsorted(lead.ts_ms, history.ts_ms, side="right") - 1
        base = lead.bars[np.maximum(rows, 0), :4] / lead.bars[max(int(rows[0]), 0), 0]
        bars = history.bars.copy()
        bars[:, :4] = np.maximum(np.rint(base * float(history.bars[0, 0])), 1)
        found[name] = _changed(history, bars, mark=None, index=None)
    return found
