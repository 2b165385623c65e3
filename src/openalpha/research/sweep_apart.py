"""Evaluating configurations one backtest at a time: event strategies, and runs on finer bars.

Python holds its lock through these, so they run in processes that inherit the data: it is in memory
once. Outcomes are written by the configuration's number, as with threads.
"""

import multiprocessing
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool

import numpy as np
from numpy.typing import NDArray

from openalpha.core.errors import DataError, OpenAlphaError
from openalpha.engine.batch import FIGURES
from openalpha.market.history import History
from openalpha.research.sweep_evaluate import Outcomes, Span, Subject, cores
from openalpha.strategy.params import StrategyParams

__all__ = ["ApartEvaluator", "Measure"]

Floats = NDArray[np.float64]

Measure = Callable[[StrategyParams, Mapping[str, History]], tuple[Mapping[str, float], Floats]]
"""From parameters and histories to the metrics of a backtest and its daily returns, float64[k]."""

_Answer = tuple[NDArray[np.float64], NDArray[np.float32], str]
_jobs: list[tuple[Measure, Sequence[StrategyParams], Sequence[Span]]] = []


class ApartEvaluator:
    """Runs configurations of a subject by a function that does a whole backtest.

    Parameters
    ----------
    subject : Subject
    measure : Measure
    workers : int
        Processes; as many as there are cores by default.
    """

    def __init__(self, subject: Subject, measure: Measure, *, workers: int | None = None) -> None:
        self.subject = subject
        self.is_stopped = False
        self._measure = measure
        self._workers = cores() if workers is None else max(1, workers)

    def evaluate(self, params: Sequence[StrategyParams], spans: Sequence[Span]) -> list[Outcomes]:
        """Run every configuration on every span; one `Outcomes` a span.

        Each span is a backtest of its own: an event strategy knows nothing from before it.

        Raises
        ------
        DataError
            If a worker was ended from outside.
        """
        found = [Outcomes.empty(len(params), len(span.days)) for span in spans]
        places = [(row, number) for row in range(len(params)) for number in range(len(spans))]
        _jobs.append((self._measure, params, spans))
        try:
            for (row, number), answer in self._answers(places):
                outcome = found[number]
                outcome.figures[row], outcome.daily[row], fault = answer
                outcome.done[row] = True
                if fault:
                    outcome.faults[row] = fault
        except KeyboardInterrupt:
            self.is_stopped = True
        finally:
            _jobs.pop()
        return found

    def _answers(
        self, places: Sequence[tuple[int, int]]
    ) -> Sequence[tuple[tuple[int, int], _Answer]]:
        is_forking = "fork" in multiprocessing.get_all_start_methods()
        if self._workers == 1 or len(places) == 1 or not is_forking:
            return [(place, _one(place)) for place in places]
        context = multiprocessing.get_context("fork")
        count = min(self._workers, len(places))
        with ProcessPoolExecutor(count, mp_context=context) as pool:
            tasks = [pool.submit(_one, place) for place in places]
            try:
                wait(tasks, return_when=FIRST_EXCEPTION)
                return [(place, task.result()) for place, task in zip(places, tasks, strict=True)]
            except KeyboardInterrupt:
                self.is_stopped = True
                pool.shutdown(wait=True, cancel_futures=True)
                return [
                    (place, task.result())
                    for place, task in zip(places, tasks, strict=True)
                    if task.done() and not task.cancelled()
                ]
            except BrokenProcessPool:
                raise DataError(
                    "a worker of the sweep was ended from outside (out of memory?); the batches "
                    "before are kept: go on with --resume, perhaps with fewer --workers"
                ) from None


def _one(place: tuple[int, int]) -> _Answer:
    row, number = place
    measure, params, spans = _jobs[-1]
    span = spans[number]
    figures = np.full(len(FIGURES), np.nan)
    daily = np.zeros(len(span.days), dtype=np.float32)
    try:
        metrics, returns = measure(params[row], span.parts)
    except OpenAlphaError as error:
        return figures, daily, str(error)
    figures[:] = [metrics[name] for name in FIGURES]
    daily[:] = returns
    return figures, daily, ""
