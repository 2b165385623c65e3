"""Tries again, politely: back-off with jitter, the venue's own hints, the shared budget."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from openalpha.core.clock import Clock
from openalpha.core.errors import VenueUnavailable
from openalpha.net.budget import Priority
from openalpha.net.transport import Request, Response, Transport, host_of

__all__ = ["Objection", "Patience", "PatientTransport", "judge_status"]

_TOO_MANY = {403, 418, 429}


@dataclass(frozen=True, slots=True)
class Objection:
    """Why a response is not the answer yet.

    Parameters
    ----------
    why : str
        For a person: "HTTP 503", "too many visits".
    wait_s : float
        The least to wait, where the venue names it or custom does.
    is_for_everyone : bool
        Whether nobody of this installation should ask meanwhile.
    """

    why: str
    wait_s: float = 0.0
    is_for_everyone: bool = False


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to go on.

    Parameters
    ----------
    attempts : int
        Tries of one request, at least 1.
    first_wait_s, longest_wait_s : float
        Back-off doubles from the first to the longest; half of each wait is drawn by chance, so
        that many clients do not come back together.
    """

    attempts: int = 6
    first_wait_s: float = 0.5
    longest_wait_s: float = 30.0

    def wait_s(self, tries: int, chance: float) -> float:
        """Return the wait after a number of failed tries (from 1).

        Examples
        --------
        >>> [Patience().wait_s(tries, 1.0) for tries in (1, 2, 3, 9)]
        [0.5, 1.0, 2.0, 30.0]
        """
        whole = min(self.longest_wait_s, self.first_wait_s * 2.0 ** min(tries - 1, 60))
        return whole * (0.5 + 0.5 * chance)


class _Budget(Protocol):
    def take(self, priority: Priority) -> None: ...
    def cool_down(self, until_ms: int) -> None: ...


def judge_status(response: Response) -> Objection | None:
    """Judge a response by its status and the header Retry-After alone; None: it is the answer.

    Examples
    --------
    >>> judge_status(Response(200, {}, b"")) is None
    True
    >>> judge_status(Response(429, {"retry-after": "3"}, b""))
    Objection(why='HTTP 429, too many requests', wait_s=3.0, is_for_everyone=True)
    """
    if response.status in _TOO_MANY:
        words = "access refused or too frequent" if response.status == 403 else "too many requests"
        why = f"HTTP {response.status}, {words}"
        return Objection(why, max(_retry_after_s(response), 1.0), is_for_everyone=True)
    if response.status >= 500:
        return Objection(f"HTTP {response.status}", _retry_after_s(response))
    return None


def _retry_after_s(response: Response) -> float:
    text = response.headers.get("retry-after", "")
    return min(float(text), 3600.0) if text.isascii() and text.isdigit() else 0.0


class PatientTransport:
    """A transport that asks the budget first and tries again while there is hope.

    Parameters
    ----------
    inner : Transport
    clock : Clock
    patience : Patience
    judge : callable
        Says why a response is not the answer yet, or None; a venue's own rules go here.
    budget_of : callable or None
        Gives the budget of a host; None: no budget is kept.
    priority : Priority
    pause : callable
        Waits a number of seconds.
    chance : callable
        Draws from [0, 1).
    """

    def __init__(
        self,
        inner: Transport,
        *,
        clock: Clock,
        patience: Patience | None = None,
        judge: Callable[[Response], Objection | None] = judge_status,
        budget_of: Callable[[str], _Budget] | None = None,
        priority: Priority = Priority.DATA,
        pause: Callable[[float], object] = time.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._inner = inner
        self._clock = clock
        self._patience = patience if patience is not None else Patience()
        self._judge = judge
        self._budget_of = budget_of
        self._priority = priority
        self._pause = pause
        self._chance = chance

    def send(self, request: Request) -> Response:
        """Return the first response that is an answer.

        Raises
        ------
        VenueUnavailable
            If none of the attempts brought one; the message names the last reason.
        """
        why = ""
        for tries in range(1, self._patience.attempts + 1):
            response, objection = self._try(request)
            if objection is None:
                assert response is not None
                return response
            why = objection.why
            if tries < self._patience.attempts:
                self._wait(request, objection, tries)
        count = self._patience.attempts
        raise VenueUnavailable(
            f"{host_of(request.url)} did not serve the request in {count} "
            f"{'try' if count == 1 else 'tries'} ({why}); try again later"
        )

    def _try(self, request: Request) -> tuple[Response | None, Objection | None]:
        if self._budget_of is not None:
            self._budget_of(host_of(request.url)).take(self._priority)
        try:
            response = self._inner.send(request)
        except VenueUnavailable as error:
            return None, Objection(error.message)
        return response, self._judge(response)

    def _wait(self, request: Request, objection: Objection, tries: int) -> None:
        wait_s = max(objection.wait_s, self._patience.wait_s(tries, self._chance()))
        if objection.is_for_everyone and self._budget_of is not None:
            until_ms = self._clock.now_ms() + round(wait_s * 1000)
            self._budget_of(host_of(request.url)).cool_down(until_ms)
        self._pause(wait_s)
