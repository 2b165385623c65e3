"""Evaluating configurations on a Dask cluster: this machine decides and writes, workers run.

A worker builds its own evaluator from the question, once, and gives outcomes back by the
configuration's number: how many workers there are, and which of them ended, leaves no trace. Trials
are written here alone.
"""

import re
import threading
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from openalpha.core.errors import DataError, InputError, VenueUnavailable
from openalpha.research.context import installed_versions
from openalpha.research.sweep import Evaluates
from openalpha.research.sweep_evaluate import Outcomes, Span, Subject
from openalpha.strategy.params import StrategyParams
from openalpha.venue.kernel._compile import source_hash

__all__ = ["ClusterEvaluator", "Make"]

Make = Callable[[int], Evaluates]
"""From a number of threads to what runs configurations; it must travel to other processes."""

_CHUNK = 32
_ATTEMPTS = 4
_CONNECT_S = 20
_ADDRESS = re.compile(r"((tcp|tls)://)?[^\s/:]+:\d+")

_Answer = list[tuple[Any, Any, dict[int, str]]]
_held: dict[str, Evaluates] = {}
_lock = threading.Lock()


class ClusterEvaluator:
    """Runs configurations of a subject on the workers of a Dask cluster.

    Parameters
    ----------
    subject : Subject
    make : callable
        What a worker builds its evaluator with.
    address : str
        The scheduler's, as `tcp://10.0.0.5:8786`.

    Raises
    ------
    InputError
        If that is no address, or Dask is not installed.
    VenueUnavailable
        If no scheduler answers there, or it has no worker.
    """

    def __init__(self, subject: Subject, make: Make, *, address: str) -> None:
        if not _ADDRESS.fullmatch(address):
            raise InputError(f"--cluster was '{address}', expected one like tcp://10.0.0.5:8786")
        dask = _dask()
        self.subject = subject
        self.is_stopped = False
        self._make, self._address, self._id = make, address, uuid.uuid4().hex
        try:
            self._client = dask.Client(address, timeout=_CONNECT_S, set_as_default=False)
            self._client.wait_for_workers(1, timeout=_CONNECT_S)
        except (OSError, ValueError, TimeoutError) as error:
            raise VenueUnavailable(
                f"no Dask cluster with a worker answers at {address} ({error}); start `dask "
                "scheduler` and `dask worker`, or leave out --cluster"
            ) from None

    def close(self) -> None:
        """Let go of the cluster."""
        self._client.close()

    def evaluate(self, params: Sequence[StrategyParams], spans: Sequence[Span]) -> list[Outcomes]:
        """Run every configuration on every span; one `Outcomes` a span.

        Raises
        ------
        InputError
            If a worker runs another version of this program.
        DataError
            If workers keep ending before they answer.
        """
        found = [Outcomes.empty(len(params), len(span.days)) for span in spans]
        missing = [range(at, min(at + _CHUNK, len(params))) for at in range(0, len(params), _CHUNK)]
        for _ in range(_ATTEMPTS):
            missing = self._try(missing, params, spans, found)
            if not missing or self.is_stopped:
                return found
        raise DataError(
            f"workers of the cluster at {self._address} keep ending before they answer (out of "
            "memory?); the batches before are kept: go on with --resume"
        )

    def _try(
        self,
        chunks: list[range],
        params: Sequence[StrategyParams],
        spans: Sequence[Span],
        found: list[Outcomes],
    ) -> list[range]:
        """Have chunks run; returns those that were lost with their workers."""
        # The data lies on every worker; with the last of them it would be gone, so it is sent anew.
        (make,) = self._client.scatter([self._make], broadcast=True, hash=False)
        limits = [(span.start_ms, span.end_ms) for span in spans]
        tasks = {
            self._client.submit(
                _evaluated,
                make,
                (self._id, _version()),
                [params[row] for row in chunk],
                limits,
                pure=False,
            ): chunk
            for chunk in chunks
        }
        lost = []
        try:
            for task in _dask().as_completed(tasks, loop=self._client.loop):
                if task.status == "error" and isinstance(error := task.exception(), InputError):
                    raise error
                if task.status != "finished":
                    lost.append(tasks[task])
                    continue
                _keep(found, tasks[task], task.result())
        except KeyboardInterrupt:
            self.is_stopped = True
        finally:
            self._client.cancel(list(tasks))
        return sorted(lost, key=lambda chunk: chunk.start)


def _dask() -> Any:
    """Return Dask's cluster library, which carries few types."""
    try:
        import distributed
    except ImportError:
        raise InputError(
            "a cluster needs Dask: install openalpha[cluster], here and on its workers"
        ) from None
    return distributed


def _keep(found: Sequence[Outcomes], chunk: range, answer: _Answer) -> None:
    for outcome, (figures, daily, faults) in zip(found, answer, strict=True):
        rows = slice(chunk.start, chunk.stop)
        outcome.figures[rows], outcome.daily[rows], outcome.done[rows] = figures, daily, True
        outcome.faults.update({chunk.start + row: text for row, text in faults.items()})


def _version() -> tuple[str, dict[str, str]]:
    """Return what must be the same here and on every worker for the same bytes."""
    return source_hash(), installed_versions()


def _evaluated(
    make: Make,
    question: tuple[str, tuple[str, dict[str, str]]],
    params: Sequence[StrategyParams],
    limits: Sequence[tuple[int, int]],
) -> _Answer:
    """Run some configurations on a worker, with as many threads as it has, one task at a time."""
    name, version = question
    worker = _dask().get_worker()
    if version != _version():
        raise InputError(
            f"the worker at {worker.address} runs another version of openalpha or of a library "
            "beneath it: install the same there"
        )
    with _lock:
        if name not in _held:
            _held.clear()
            _held[name] = make(worker.state.nthreads)
        evaluator = _held[name]
        spans = [Span(evaluator.subject, start_ms=a, end_ms=z) for a, z in limits]
        found = evaluator.evaluate(params, spans)
    return [(one.figures, one.daily, one.faults) for one in found]
