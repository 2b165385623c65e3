"""Compiling everything a first backtest needs, ahead of it, part by part."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from openalpha.market.history import History
    from openalpha.venue.kernel.machine import Machine

__all__ = ["note_warm", "warm_steps"]


def warm_steps() -> Sequence[tuple[str, Callable[[], None]]]:
    """Return the parts still to compile, by name; empty when the cache is warm."""
    from openalpha.venue.kernel._compile import cache_dir

    if (cache_dir() / "complete").exists():
        return ()
    return (
        ("the exchange and the pass over history", _compile_kernel),
        ("event strategies", _compile_stretch),
        ("sweeps", _compile_batch),
        ("signals", _compile_others),
    )


def note_warm() -> None:
    """Note that all parts are compiled, for who asks next."""
    from openalpha.venue.kernel._compile import cache_dir

    cache_dir().mkdir(parents=True, exist_ok=True)
    (cache_dir() / "complete").touch()


def _compile_kernel() -> None:
    # In one process: both compile the same functions, found again the second time.
    _compile_machine()
    _compile_pass()


def _small_machine() -> "Machine":
    from openalpha.venue.kernel.machine import Machine
    from openalpha.venue.kernel.setup import AccountSetup, InstrumentSetup, make_market

    bars = np.array([[[100, 101, 99, 100, 50]] * 3], dtype=np.int64)
    market, spans = make_market(np.array([0, 60_000, 120_000], dtype=np.int64), bars)
    return Machine((InstrumentSetup(1),), AccountSetup((10_000,)), market, spans, 60_000)


def _compile_machine() -> None:
    from openalpha.venue.kernel.setup import OrderRequest

    machine = _small_machine()
    machine.run(1)
    order = machine.submit(0, 60_000, OrderRequest(side=1, qty=1, order_type=1, limit=90))
    machine.amend(0, 60_000, order, limit=91)
    machine.cancel(0, 60_000, order)
    machine.transfer(0, 60_000, 1)
    machine.run(3)
    machine.equity()


def _compile_pass() -> None:
    from openalpha.engine.signals import EngineSettings, run_signals

    targets = np.array([1_000_000, 0, 0], dtype=np.int32)
    run_signals([_small_history()], [targets], capital=Decimal(10_000), settings=EngineSettings())


def _small_history() -> "History":
    import polars as pl

    from openalpha.market.frames import history

    frame = pl.DataFrame(
        {
            "ts": 1_704_067_200_000 + np.arange(3, dtype=np.int64) * 60_000,
            "open": [100.0, 101.0, 102.0],
            "high": [102.0, 103.0, 104.0],
            "low": [99.0, 100.0, 101.0],
            "close": [101.0, 102.0, 103.0],
            "volume": [10.0, 10.0, 10.0],
        }
    )
    return history(frame)


def _compile_stretch() -> None:
    from openalpha.engine.compiled.stretch import quiet_stretch

    machine = _small_machine()
    quiet_stretch(machine.arena, machine.market, np.zeros(3), 0, 3, False)


def _compile_batch() -> None:
    from openalpha.engine.batch import FIGURES, Lane, Stand
    from openalpha.engine.signals import EngineSettings

    rows = np.array([2], dtype=np.int64)
    stand = Stand(
        [_small_history()], capital=Decimal(10_000), settings=EngineSettings(), day_row=rows,
        month=rows,
    )  # fmt: skip
    figures, daily = np.empty(len(FIGURES)), np.empty(1, dtype=np.float32)
    lane = Lane()
    lane.reset(stand)  # nothing is led: the pass is compiled elsewhere
    lane.measure(stand, np.full(3, 10_000.0), figures=figures, daily=daily)


def _compile_others() -> None:
    from openalpha.engine import reading
    from openalpha.strategy.compiled import warm

    reading.warm()
    warm()
