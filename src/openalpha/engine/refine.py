"""Signal strategies decided on coarse bars and filled by finer ones (`fills.path = refine`)."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from openalpha.core.clock import timeframe_name
from openalpha.engine.compiled.plan import NO_TARGET
from openalpha.engine.funding import Settlements
from openalpha.engine.run import EngineRun
from openalpha.engine.signals import EngineSettings, run_signals
from openalpha.market.history import History
from openalpha.strategy.params import Exits

__all__ = ["run_refined"]


def run_refined(
    histories: tuple[Sequence[History], Sequence[History]],
    targets_e6: Sequence[NDArray[np.int32]],
    *,
    capital: Decimal,
    settings: EngineSettings,
    exits: Exits,
    funding: Sequence[Settlements] | None = None,
) -> EngineRun:
    """Lead an account through finer bars, deciding only where a coarse bar closes.

    Orders fill and exits trigger inside the finer bars, each of which is still walked on its
    adverse path. Limits of `risk.profile = live` are followed at every finer close.

    Parameters
    ----------
    histories : (sequence of History, sequence of History)
        What the strategy saw, one time frame; and the same instruments and times in finer bars,
        none missing (`market.finer`).
    targets_e6 : sequence of int32[len(coarse history)]
        As in `run_signals`.

    Returns
    -------
    EngineRun
        On the coarse bars: equity and journal at their closes; fills carry their finer times.

    Raises
    ------
    InputError
        As `run_signals`.
    """
    coarse, fine = histories
    steps = {one.timeframe_ms // two.timeframe_ms for one, two in zip(coarse, fine, strict=True)}
    assert len(steps) == 1, "one finer time frame for all"
    step = steps.pop()
    fills = replace(settings.venue.fills, path="adverse")
    run = run_signals(
        fine,
        [_scattered(target, step) for target in targets_e6],
        capital=capital,
        settings=replace(settings, venue=replace(settings.venue, fills=fills)),
        exits=replace(exits, time_exit_bars=exits.time_exit_bars * step),
        funding=funding,
    )
    return _on_coarse_bars(run, coarse, fine)


def _scattered(target: NDArray[np.int32], step: int) -> NDArray[np.int32]:
    """Lay targets on the finer bars at which a coarse bar closes; the others say nothing."""
    out = np.full(len(target) * step, NO_TARGET, dtype=np.int32)
    out[step - 1 :: step] = target
    return out


def _on_coarse_bars(
    run: EngineRun, coarse: Sequence[History], fine: Sequence[History]
) -> EngineRun:
    own_ms, finer_ms = coarse[0].timeframe_ms, fine[0].timeframe_ms
    stamps = coarse[0].ts_ms
    if len(coarse) > 1:
        stamps = np.unique(np.concatenate([history.ts_ms for history in coarse]))
    rows = np.searchsorted(run.ts_ms, stamps + own_ms - finer_ms)
    assert (run.ts_ms[rows] == stamps + own_ms - finer_ms).all(), "a finer bar closes each bar"
    names = timeframe_name(own_ms), timeframe_name(finer_ms)
    prints = ", ".join(history.fingerprint[:12] for history in fine)
    note = f"fills within {names[0]} bars follow the {names[1]} bars of the lake ({prints})"
    return replace(
        run,
        ts_ms=stamps,
        timeframe_ms=own_ms,
        equity=run.equity[rows],
        journal=None if run.journal is None else run.journal[rows],
        closes=tuple(np.ascontiguousarray(close[rows]) for close in run.closes),
        notes=(*run.notes, note),
    )
