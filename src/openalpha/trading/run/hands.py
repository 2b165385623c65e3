"""Hands that carry requests out while a loop goes on: a few threads, each call bounded in time.

What changes an instrument's orders is done one after the other, in the order it was asked for, so
that nothing overtakes what it is about; of what may be begun, the more important goes first. Orders
and questions have hands of their own: a question that hangs delays no cancel.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from openalpha.store.frames import canonical_json
from openalpha.trading.orders.side import Request, RequestKind

__all__ = ["Carrier", "Hands"]

_WRITERS, _ASKERS = 4, 3
_WRITES = frozenset(
    {
        RequestKind.PLACE,
        RequestKind.CANCEL,
        RequestKind.CANCEL_ALL,
        RequestKind.AMEND,
        RequestKind.SET_UP,
    }
)


class Carrier(Protocol):
    """Carries requests out and says what became of each."""

    def carry_out(self, request: Request) -> bytes:
        """Return the payload of a REPLY input; bounded in time, never raises for the venue."""
        ...

    def begin(self, request: Request, done: Callable[[bytes | None], object]) -> bool:
        """Send a request this moment, in the caller's thread, if it can be; see `Executor`."""
        ...

    def prepare(self) -> None:
        """Be ready to begin one any moment."""
        ...

    def rehearse(self, request: Request) -> None:
        """Do what `begin` does, and send nothing."""
        ...


@dataclass(slots=True)
class _Job:
    request: Request
    number: int
    is_write: bool
    symbols: frozenset[str]
    like: bytes
    is_begun: bool = False


class Hands:
    """Carries the requests of one account out.

    Parameters
    ----------
    carrier : Carrier
        Safe among threads.
    done : callable
        Given each reply, in the thread it came in.
    failed : callable
        Given what a carrier raised, which is a fault of the program.
    """

    def __init__(
        self,
        carrier: Carrier,
        done: Callable[[bytes], object],
        *,
        failed: Callable[[BaseException], object],
    ) -> None:
        self._carrier, self._done, self._failed = carrier, done, failed
        self._jobs: list[_Job] = []
        self._count = 0
        self._is_over = False
        self._change = threading.Condition()
        self._threads = [
            threading.Thread(target=self._work, args=(number < _WRITERS,), daemon=True)
            for number in range(_WRITERS + _ASKERS)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def is_idle(self) -> bool:
        """Whether every request has its reply."""
        with self._change:
            return not self._jobs

    def prepare(self) -> None:
        """Let the carrier be ready: an order may follow in a moment."""
        self._carrier.prepare()

    def rehearse(self, requests: Sequence[Request]) -> None:
        """Do what giving requests takes, and carry nothing out."""
        for request in requests:
            _symbols(request)
            self._carrier.rehearse(request)

    def give_all(self, requests: Sequence[Request]) -> None:
        """Let requests be carried out as soon as their turns come; no question before an order."""
        for request in sorted(requests, key=lambda one: one.kind not in _WRITES):
            self.give(request)

    def give(self, request: Request) -> None:
        """Let a request be carried out as soon as its turn comes."""
        is_write = request.kind in _WRITES
        like = b"" if is_write else _likeness(request)
        with self._change:
            self._count += 1
            job = _Job(request, self._count, is_write, _symbols(request), like)
            self._jobs.append(job)
            # Held as begun while it is tried: no hand takes it meanwhile.
            is_tried = is_write and not self._is_over and not self._must_wait(job)
            job.is_begun = is_tried
            if not is_tried:
                self._change.notify_all()
        if is_tried and not self._begin(job):
            self._leave_to_a_hand(job)

    def _begin(self, job: _Job) -> bool:
        """Send it at once: no other thread has to wake up first."""

        def hear(reply: bytes | None) -> None:
            if reply is None:
                self._leave_to_a_hand(job)
            else:
                self._done(reply)
                self._end(job)

        return self._carrier.begin(job.request, hear)

    def _leave_to_a_hand(self, job: _Job) -> None:
        with self._change:
            job.is_begun = False
            if self._is_over:
                self._jobs.remove(job)
            self._change.notify_all()

    def _end(self, job: _Job) -> None:
        with self._change:
            self._jobs.remove(job)
            # Hands that have nothing to do are not woken: they would be in the loop's way.
            if self._is_over or not all(other.is_begun for other in self._jobs):
                self._change.notify_all()

    def close(self, *, wait_s: float = 30.0) -> None:
        """Begin nothing more, and wait for orders that are being sent; questions are left."""
        with self._change:
            self._is_over = True
            self._jobs = [job for job in self._jobs if job.is_begun]
            self._change.notify_all()
            self._change.wait_for(lambda: not any(job.is_write for job in self._jobs), wait_s)

    def _work(self, is_writer: bool) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: self._is_over or self._next(is_writer) is not None)
                job = self._next(is_writer)
                if self._is_over or job is None:
                    return
                job.is_begun = True
            try:
                self._done(self._carrier.carry_out(job.request))
            except BaseException as error:  # noqa: BLE001 - told to the loop, which raises it
                self._failed(error)
            self._end(job)

    def _next(self, is_writer: bool) -> _Job | None:
        """Return the most important job that waits for nothing asked for before it."""
        free = [
            job
            for job in self._jobs
            if not job.is_begun and job.is_write is is_writer and not self._must_wait(job)
        ]
        return min(free, key=lambda job: (job.request.priority, job.number), default=None)

    def _must_wait(self, job: _Job) -> bool:
        """Say whether orders of its instrument, or the very question, were asked for before it."""
        before = [other for other in self._jobs if other.number < job.number]
        # One question twice at a time could be answered in the wrong order.
        return any(other.is_write and job.symbols & other.symbols for other in before) or (
            not job.is_write and any(other.like == job.like for other in before)
        )


def _symbols(request: Request) -> frozenset[str]:
    params = request.params
    rows = params.get("orders") or [params]
    category = params.get("category", "")
    return frozenset(f"{category}:{row['symbol']}" for row in rows if "symbol" in row)


def _likeness(request: Request) -> bytes:
    params = request.params
    about = (params.get("what", ""), params.get("category", ""), request.link_ids)
    return canonical_json([request.kind, *about])
