"""Evaluating many configurations: threads that share the data, each with memory of its own.

The compiled pass lets go of Python's lock, so threads use every core. Results are written by the
configuration's number: how many threads there are, and which was first, leaves no trace.
"""

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from openalpha.core.clock import DAY_MS
from openalpha.core.errors import DataError, OpenAlphaError
from openalpha.engine.batch import FIGURES, Benchmark, Lane, Stand
from openalpha.engine.funding import bounded
from openalpha.engine.signals import EngineSettings
from openalpha.market.history import History
from openalpha.research.benchmark import buy_and_hold
from openalpha.research.daily import daily_series
from openalpha.research.drawdown import drawdowns
from openalpha.research.metrics import sharpe_ratio
from openalpha.research.targets import targets_of
from openalpha.strategy.bars import Bars
from openalpha.strategy.base import SignalStrategy
from openalpha.strategy.indicators.memory import Memo, remembering
from openalpha.strategy.params import StrategyParams

__all__ = ["Evaluator", "Outcomes", "Span", "Subject", "cores"]

Floats = NDArray[np.float64]
_FINAL = FIGURES.index("final_equity")


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """What configurations are tried on; all but the parameters is settled.

    Parameters
    ----------
    strategy : SignalStrategy
    histories : mapping of role or instrument id to History
    capital : Decimal
    settings : EngineSettings
    """

    strategy: SignalStrategy
    histories: Mapping[str, History]
    capital: Decimal
    settings: EngineSettings

    @property
    def start_ms(self) -> int:
        """The first bar's open."""
        return min(int(history.ts_ms[0]) for history in self.histories.values())

    @property
    def end_ms(self) -> int:
        """The last bar's close."""
        return max(history.end_ms for history in self.histories.values())


@dataclass(slots=True, eq=False)
class Outcomes:
    """What came of configurations, in their order.

    Parameters
    ----------
    figures : float64[n, 68]
        As `engine.batch.FIGURES`; NaN where a configuration failed.
    daily : float32[n, k]
        Net returns of each UTC day.
    faults : dict of row to sentence
        Configurations the strategy could not run with.
    done : bool[n]
        False for those that were not reached before a stop.
    """

    figures: Floats
    daily: NDArray[np.float32]
    faults: dict[int, str] = field(default_factory=dict)
    done: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))

    @classmethod
    def empty(cls, count: int, days: int) -> "Outcomes":
        """Return outcomes of which nothing is known yet."""
        return cls(
            np.full((count, len(FIGURES)), np.nan),
            np.zeros((count, days), dtype=np.float32),
            done=np.zeros(count, dtype=np.bool_),
        )


class Span:
    """A part of the subject's time, ready to be run on.

    Where settlements are missing in it there are two stands, one at each bound, and the worse run
    counts, as in a backtest.

    Parameters
    ----------
    subject : Subject
    start_ms, end_ms : int
        Bars that open in [start, end).
    """

    def __init__(self, subject: Subject, *, start_ms: int, end_ms: int) -> None:
        self.subject, self.rows = subject, []
        self.start_ms, self.end_ms = start_ms, end_ms
        self.parts: dict[str, History] = {}
        for name, history in subject.histories.items():
            a, z = np.searchsorted(history.ts_ms, [start_ms, end_ms]).tolist()
            if a >= z:
                raise DataError(
                    f"{history.instrument.id} has no bar in a part of the time asked for"
                )
            self.parts[name] = history if z - a == len(history) else history.window(a, z)
            self.rows.append(slice(a, z))
        every = list(self.parts.values())
        self.stamps = every[0].ts_ms
        if any(h.ts_ms is not self.stamps for h in every):
            self.stamps = np.unique(np.concatenate([h.ts_ms for h in every]))
        self.days = daily_series(
            self.stamps,
            np.zeros(len(self.stamps)),
            timeframe_ms=every[0].timeframe_ms,
            capital=float(subject.capital),
        )

    @cached_property
    def stands(self) -> tuple[Stand, ...]:
        """The account on these bars; two where settlements are missing, the low bound first."""
        subject, every = self.subject, list(self.parts.values())
        moments = (self.days.day + 1) * DAY_MS
        line = buy_and_hold(self.parts, int(self.stamps[0]), moments_ms=moments)
        is_bounded = subject.settings.venue.costs.funding and any(h.funding_gaps for h in every)
        return tuple(
            Stand(
                every,
                capital=subject.capital,
                settings=subject.settings,
                day_row=self.days.bar,
                month=self.days.month(),
                benchmark=_benchmark(line),
                funding=None if highest is None else [bounded(h, highest=highest) for h in every],
            )
            for highest in ((False, True) if is_bounded else (None,))
        )

    def __len__(self) -> int:
        return len(self.stamps)


class Evaluator:
    """Runs configurations of a subject on spans of its time.

    Parameters
    ----------
    subject : Subject
    workers : int
        Threads; as many as there are cores by default.
    """

    def __init__(self, subject: Subject, *, workers: int | None = None) -> None:
        self.subject = subject
        self.workers = cores() if workers is None else max(1, workers)
        self.memo = Memo()
        self.is_stopped = False
        self._bars = {name: Bars.of(history) for name, history in subject.histories.items()}
        self._lanes: list[Lane] = []

    def whole(self) -> Span:
        """Return all of the subject's time."""
        subject = self.subject
        return Span(subject, start_ms=subject.start_ms, end_ms=subject.end_ms)

    def evaluate(self, params: Sequence[StrategyParams], spans: Sequence[Span]) -> list[Outcomes]:
        """Run every configuration on every span; one `Outcomes` a span.

        A strategy is asked once a configuration, about all of its time, and led through each span
        with what it wanted there: so each span has its past to warm up on, and none its future.
        Ctrl-C ends it after the runs under way; `is_stopped` then says so.
        """
        count = len(params)
        found = [Outcomes.empty(count, len(span.days)) for span in spans]
        numbers = iter(range(count))
        halt = threading.Event()
        while len(self._lanes) < self.workers:
            self._lanes.append(Lane())

        def work(lane: Lane) -> None:
            scratch = np.empty((2, len(FIGURES)))
            for row in numbers:
                if halt.is_set():
                    return
                self._one(lane, row, params[row], spans, found, scratch)

        for span in spans:
            _ = span.stands  # made here, once, before threads ask for it
        with remembering(self.memo):
            try:
                _share_out(work, self._lanes[: min(self.workers, count)], halt)
            except KeyboardInterrupt:
                self.is_stopped = True
        return found

    def _one(
        self,
        lane: Lane,
        row: int,
        params: StrategyParams,
        spans: Sequence[Span],
        found: Sequence[Outcomes],
        scratch: Floats,
    ) -> None:
        strategy = self.subject.strategy
        try:
            targets = targets_of(strategy, params, bars=self._bars)
            exits = strategy.exits(params)
        except OpenAlphaError as error:
            for outcome in found:
                outcome.faults[row] = str(error)
                outcome.done[row] = True
            return
        for span, outcome in zip(spans, found, strict=True):
            part = [wanted[rows] for wanted, rows in zip(targets, span.rows, strict=True)]
            daily = outcome.daily[row]
            lane.run(span.stands[0], part, exits=exits, figures=outcome.figures[row], daily=daily)
            for other in span.stands[1:]:
                kept = np.empty_like(daily)
                lane.run(other, part, exits=exits, figures=scratch[0], daily=kept)
                # As a backtest: the low bound's run stands where it ends below the high one's.
                if not outcome.figures[row, _FINAL] < scratch[0, _FINAL]:
                    outcome.figures[row], daily[:] = scratch[0], kept
            outcome.done[row] = True


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _share_out(work: Callable[[Lane], None], lanes: Sequence[Lane], halt: threading.Event) -> None:
    """Let every lane work in a thread of its own; what ends one of them ends all."""
    with ThreadPoolExecutor(max(1, len(lanes))) as pool:
        tasks = [pool.submit(work, lane) for lane in lanes]
        try:
            wait(tasks, return_when=FIRST_EXCEPTION)
        finally:
            halt.set()
        for task in tasks:
            task.result()


def _benchmark(line: Floats) -> Benchmark:
    theirs = np.diff(np.append(1.0, line)) / np.append(1.0, line[:-1])
    fall = float(drawdowns(line, 1.0).max())
    return Benchmark(theirs, float(line[-1]) - 1.0, sharpe_ratio(theirs), fall)
