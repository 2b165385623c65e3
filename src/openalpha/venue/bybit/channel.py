"""One connection to Bybit: signs, keeps the budget, follows the venue's clock, bounds every call.

A read may be repeated and is, while there is time. A write is repeated only where the venue said
that it was not carried out; otherwise `FateUnknown` tells the caller to ask first.
"""

import json
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import count
from typing import Any
from urllib.parse import urlencode

from openalpha.core.clock import Clock
from openalpha.core.errors import InputError, NotSent, VenueUnavailable
from openalpha.net import (
    Offset,
    Patience,
    Priority,
    RateBroker,
    Request,
    Transport,
    Use,
    host_of,
    measure_offset,
)
from openalpha.store.exchange_key import ExchangeKey
from openalpha.venue.bybit.answers import Answer, FateUnknown, NotNow, StaleClock, read_answer
from openalpha.venue.bybit.limits import mark_of, use_of
from openalpha.venue.bybit.signing import Signer

__all__ = ["Call", "Channel", "Terms"]

_OFFSET_LASTS_MS = 60 * 60_000
_MOST_PAGES = 200
_PATIENCE = Patience(attempts=5, first_wait_s=0.1, longest_wait_s=2.0)
_RESTART = Patience(attempts=25, first_wait_s=0.1, longest_wait_s=0.5)
"""For a question to a venue that answered before and takes no connections: it is starting anew."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How long a call may take.

    Parameters
    ----------
    deadline_s : float
        No new try begins after this; with the transport's own bound it bounds the call.
    window_ms : int
        How long after its time stamp the venue may still act on a request: so long the fate of
        one that was never answered stays open.
    patience : Patience
    """

    deadline_s: float = 10.0
    window_ms: int = 2_500
    patience: Patience = _PATIENCE


@dataclass(frozen=True, slots=True)
class Call:
    """One endpoint to be called.

    Parameters
    ----------
    path : str
    params : mapping
        None values are left out.
    is_write : bool
        POST with a JSON body, else GET with a query.
    is_public : bool
        Unsigned.
    cost : int
        What it counts as; a batch counts its orders.
    priority : Priority or None
        What it is for; None: what its channel is for.
    """

    path: str
    params: Mapping[str, Any]
    is_write: bool = False
    is_public: bool = False
    cost: int = 1
    priority: Priority | None = None

    @property
    def name(self) -> str:
        """Return the call's short name, for messages."""
        return self.path.removeprefix("/v5/")


class Channel:
    """Sends calls to one server for one key; safe among threads.

    Parameters
    ----------
    transport : Transport
        Bounded in time itself, as `HttpTransport(timeout_s=…, total_s=…)` is.
    key : ExchangeKey or str
        A key, or the URL of a server for public calls only.
    clock : Clock
    broker : RateBroker or None
        None: no count is kept (tests).
    priority : Priority
        What its calls are for unless they say otherwise.
    terms : Terms
    pause : callable
        Waits a number of seconds.
    """

    def __init__(
        self,
        transport: Transport,
        key: ExchangeKey | str,
        *,
        clock: Clock,
        broker: RateBroker | None = None,
        priority: Priority = Priority.ORDERS,
        terms: Terms | None = None,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        self._transport = transport
        self._clock = clock
        self._broker = broker
        self._priority = priority
        self._terms = terms if terms is not None else Terms()
        self._pause = pause
        self._offset: Offset | None = None
        self._measured_ms = 0
        self._has_answered = False
        if isinstance(key, str):
            self.url, self._api_key, self._signer = key, "", None
        else:
            self.url, self._api_key, self._signer = key.url, key.api_key, Signer(key)
        self.host, self._mark = host_of(self.url), mark_of(self._api_key)

    def call(self, call: Call) -> Answer:
        """Return the venue's answer.

        Raises
        ------
        BybitRefused
            It said no.
        FateUnknown
            A write may or may not have been carried out.
        VenueUnavailable
            It was not carried out: the venue is away, busy, or the budget used up.
        InputError
            A signed call needs a key and there is none.
        """
        ends = time.monotonic() + self._terms.deadline_s
        for tries in count(1):
            try:
                answer = self._once(call, left_s=ends - time.monotonic())
            except VenueUnavailable as error:
                if isinstance(error, FateUnknown) and call.is_write:
                    raise
                patience = self._patience(call, error)
                wait_s = self._wait_s(error, patience.wait_s(tries, random.random()))
                is_late = time.monotonic() + wait_s >= ends
                if tries >= patience.attempts or is_late:
                    raise
                if isinstance(error, StaleClock):
                    self.forget_offset()
                else:
                    self._pause(wait_s)
            else:
                self._has_answered = True
                return answer
        raise AssertionError("the loop returns or raises")

    def pages(self, call: Call, *, most_rows: int | None = None) -> list[Mapping[str, Any]]:
        """Return the rows of all pages of a listing, or the first `most_rows` of them."""
        rows: list[Mapping[str, Any]] = []
        cursor = ""
        for _ in range(_MOST_PAGES):
            params = {**call.params, "cursor": cursor} if cursor else call.params
            answer = self.call(replace(call, params=params))
            rows += answer.rows
            is_over = not answer.rows or answer.cursor in ("", cursor)
            cursor = answer.cursor
            if is_over or (most_rows is not None and len(rows) >= most_rows):
                break
        return rows[:most_rows]

    def offset(self) -> Offset:
        """Return how far the venue's clock stands from ours, measured anew once an hour."""
        now_ms = self._clock.now_ms()
        # A clock that jumped is measured anew as well.
        if self._offset is None or abs(now_ms - self._measured_ms) > _OFFSET_LASTS_MS:
            samples = 1 if self._priority is Priority.RISK else 3
            try:
                self._offset = measure_offset(self.server_ms, self._clock, samples=samples)
            except FateUnknown as error:
                # Nothing was sent yet but the question for the time.
                raise VenueUnavailable(error.message) from None
            self._measured_ms = now_ms
        return self._offset

    def forget_offset(self) -> None:
        """Measure the venue's clock anew before the next signed call."""
        self._offset = None

    def now_ms(self) -> int:
        """Return our own clock's time, UTC ms."""
        return self._clock.now_ms()

    def likely_ms(self) -> int:
        """Return the venue's time now, as far as its clock was measured; asks nobody."""
        return self._clock.now_ms() + (0 if self._offset is None else self._offset.offset_ms)

    def earliest_ms(self) -> int:
        """Return the venue's time now, or a little earlier: what it does next is not before."""
        offset = self.offset()
        return self._clock.now_ms() + offset.offset_ms - offset.uncertainty_ms

    def leave(self, call: Call) -> int | None:
        """Return the venue's time for a signed call that may go out this moment; asks nobody.

        None where it would have to wait: for the budget, or for the venue's clock to be measured.
        """
        now_ms = self._clock.now_ms()
        if self._offset is None or abs(now_ms - self._measured_ms) > _OFFSET_LASTS_MS:
            return None
        if self._broker is not None:
            priority = self._priority if call.priority is None else call.priority
            if not self._broker.may_go(priority, uses=self._uses(call)):
                return None
        return now_ms + self._offset.offset_ms

    def went(self, call: Call) -> None:
        """Count a call that `leave` was given and that has gone."""
        if self._broker is not None:
            self._broker.went(uses=self._uses(call))

    def busy(self, call: Call, error: NotNow) -> None:
        """Note that the venue, asked by another way than this, refused a call as one too many."""
        self._cool_down(error, self._uses(call))

    @property
    def window_ms(self) -> int:
        """Return how long after its stamp the venue may act on a call."""
        return self._terms.window_ms

    def server_ms(self) -> int:
        """Ask the venue for its time, UTC ms."""
        answer = self._once(Call("/v5/market/time", {}, is_public=True), left_s=2.0)
        try:
            return int(str(answer.result["timeNano"])) // 1_000_000
        except (KeyError, ValueError):
            pass
        try:
            return int(str(answer.result["timeSecond"])) * 1000
        except (KeyError, ValueError):
            if not answer.ts_ms:
                raise VenueUnavailable(f"{self.host} does not tell its time") from None
            return answer.ts_ms

    def _once(self, call: Call, *, left_s: float) -> Answer:
        uses = self._uses(call)
        if self._broker is not None:
            wait_s = max(0.0, left_s)
            priority = self._priority if call.priority is None else call.priority
            self._broker.take(self.host, priority, uses=uses, wait_at_most_s=wait_s)
        # Signed after the wait: the stamp must be fresh.
        request = self._request(call)
        try:
            response = self._transport.send(request)
        except NotSent:
            raise
        except VenueUnavailable as error:
            raise FateUnknown(error.message) from None
        try:
            return read_answer(response, what=call.name, api_key=self._api_key)
        except NotNow as error:
            self._cool_down(error, uses)
            raise

    def _request(self, call: Call) -> Request:
        params = {name: value for name, value in call.params.items() if value is not None}
        if call.is_write:
            payload = json.dumps(params, separators=(",", ":"))
            url, body = f"{self.url}{call.path}", payload.encode()
        else:
            payload = urlencode(params)
            url, body = f"{self.url}{call.path}{'?' if payload else ''}{payload}", b""
        headers = {"Content-Type": "application/json"} if call.is_write else {}
        if not call.is_public:
            if self._signer is None:
                raise InputError(f"{call.name} needs a key; add one by `openalpha keys add`")
            stamp_ms = self._clock.now_ms() + self.offset().offset_ms
            window_ms = self._terms.window_ms
            headers |= self._signer.headers(payload, stamp_ms, window_ms=window_ms)
        method = "POST" if call.is_write else "GET"
        return Request(url, method, headers, body, may_move=call.is_public)

    def _uses(self, call: Call) -> tuple[Use, ...]:
        if call.is_public:
            return ()
        category = str(call.params.get("category") or "")
        return (use_of(call.path, category=category, mark=self._mark, cost=call.cost),)

    def _cool_down(self, error: NotNow, uses: tuple[Use, ...]) -> None:
        if self._broker is None:
            return
        now_ms = self._clock.now_ms()
        offset_ms = self._offset.offset_ms if self._offset is not None else 0
        until_ms = max(error.until_ms - offset_ms, now_ms + 100)
        if error.is_for_everyone:
            self._broker.cool_down(self.host, now_ms + 1_000)
        else:
            # A reset an hour ahead is nonsense; no window of a key is longer than seconds.
            self._broker.cool_down(self.host, min(until_ms, now_ms + 5_000), uses=uses)

    def _patience(self, call: Call, error: VenueUnavailable) -> Patience:
        is_restarting = isinstance(error, NotSent) and self._has_answered and not call.is_write
        return _RESTART if is_restarting else self._terms.patience

    def _wait_s(self, error: VenueUnavailable, usual_s: float) -> float:
        if not isinstance(error, NotNow) or not error.until_ms:
            return usual_s
        offset_ms = self._offset.offset_ms if self._offset is not None else 0
        left_s = (error.until_ms - offset_ms - self._clock.now_ms()) / 1000
        return min(max(usual_s, left_s), 5.0)
