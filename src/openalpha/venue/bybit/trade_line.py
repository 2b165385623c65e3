"""Bybit's trade socket: orders by message on a line that stands open, logged in and kept alive.

It sends at once or not at all, and tells each answer once. What becomes of an order whose answer
does not come is as unknown as on REST: the caller asks by its id, nothing is sent again. While the
line is down, or does not answer, the caller takes REST.
"""

import itertools
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from openalpha.core.clock import Clock
from openalpha.core.errors import NotSent, OpenAlphaError, VenueUnavailable
from openalpha.net.socket_line import LineTerms, SocketLine
from openalpha.store.exchange_key import ExchangeKey
from openalpha.venue.bybit.answers import (
    Answer,
    BybitRefused,
    FateUnknown,
    NotNow,
    StaleClock,
    read_message,
)
from openalpha.venue.bybit.channel import Call
from openalpha.venue.bybit.hosts import socket_url
from openalpha.venue.bybit.signing import Signer

if TYPE_CHECKING:
    from openalpha.net.socket_connection import SocketConnection

__all__ = ["Done", "LineRefused", "TradeLine", "TradeTerms"]

_ORDERS = ("create", "amend", "cancel", "create-batch", "amend-batch", "cancel-batch")
_OPS = {f"/v5/order/{name}": f"order.{name}" for name in _ORDERS}
_AHEAD_MS = 10_000
_MOST_UNANSWERED_BYTES = 8_192
"""Beyond this a line that takes nothing could make a send wait."""

# The line, not the order, is refused: not logged in (any more), restarting, unknown operation.
_LINE_REFUSED = frozenset({10003, 10004, 10005, 10019, 10404, 20001})
_TWICE = 20006

_PING = '{"op":"ping"}'
_WRITTEN = json.JSONEncoder(separators=(",", ":"))


class LineRefused(VenueUnavailable):
    """The order was not carried out, for a reason that another way need not have."""


Done = Callable[[Answer | OpenAlphaError], object]
"""Told once what became of a call: its answer, or why there is none (as REST says it)."""


@dataclass(frozen=True, slots=True)
class TradeTerms:
    """How long answers are waited for.

    Parameters
    ----------
    answer_s : float
        After this the fate of an order without an answer is unknown, and the line opened anew.
    slow_s : float
        While an answer is out for longer than this, the line takes no more orders.
    ping_s, mute_s : float
        How often it pings, and after how long without a word it is held to be dead.
    """

    answer_s: float = 5.0
    slow_s: float = 1.0
    ping_s: float = 10.0
    mute_s: float = 25.0


@dataclass(frozen=True, slots=True)
class _Sent:
    """An order whose answer is out."""

    name: str
    done: Done
    sent_s: float
    size: int


class TradeLine:
    """The trade socket of one key; safe among threads.

    Parameters
    ----------
    key : ExchangeKey
    clock : Clock
        For the login's stamp.
    terms : TradeTerms
    """

    def __init__(self, key: ExchangeKey, *, clock: Clock, terms: TradeTerms | None = None) -> None:
        self._clock, self._signer, self._api_key = clock, Signer(key), key.api_key
        self._terms = TradeTerms() if terms is None else terms
        self._lock = threading.Lock()
        self._out: dict[str, _Sent] = {}
        self._numbers = itertools.count(1)
        self._is_up = False
        self._line = SocketLine(
            socket_url(key.url, "trade"),
            greet=self._log_in,
            on_text=self._hear,
            on_change=self._change,
            terms=LineTerms(ping_s=self._terms.ping_s, mute_s=self._terms.mute_s),
            on_look=self._look,
        )

    def start(self) -> None:
        """Begin to open it, in a thread of its own; failing to is no error, it goes on trying."""
        self._line.start()

    def close(self) -> None:
        """Hang up; what has no answer yet is of unknown fate. Safe to repeat."""
        self._line.close()

    @property
    def is_ready(self) -> bool:
        """Whether an order can go out now: logged in, and every answer in time so far."""
        if not self._is_up:
            return False
        with self._lock:
            first = next(iter(self._out.values()), None)
            if first is None:
                return True
            is_slow = time.monotonic() - first.sent_s > self._terms.slow_s
            size = sum(sent.size for sent in self._out.values())
            return not is_slow and size < _MOST_UNANSWERED_BYTES

    def send(self, call: Call, *, stamp_ms: int, window_ms: int, done: Done) -> None:
        """Send an order call at once; returns when its bytes have left.

        Parameters
        ----------
        call : Call
            One of the order calls: create, amend, cancel, or a batch of them.
        stamp_ms : int
            The venue's time now.
        window_ms : int
            How long after the stamp the venue may still act on it.
        done : callable
            Told what became of it, in a thread of the line's; `NotSent` and `FateUnknown` also
            before this returns.
        """
        name = f"{stamp_ms}-{next(self._numbers)}"
        text = _written(call, name, stamp_ms=stamp_ms, window_ms=window_ms)
        with self._lock:
            is_up = self._is_up
            if is_up:
                self._out[name] = _Sent(call.name, done, time.monotonic(), len(text))
        if not is_up:
            done(NotSent("the trade socket is down"))
        elif not self._line.send(text):
            # Some of it may have left before the line broke.
            self._tell(name, FateUnknown(f"the trade socket broke while {call.name} was sent"))

    def rehearse(self, call: Call, *, stamp_ms: int, window_ms: int) -> None:
        """Do what sending a call takes, and send nothing."""
        self._line.rehearse(_written(call, "", stamp_ms=stamp_ms, window_ms=window_ms))

    def ping(self) -> None:
        """Send a ping, if the line is up: what an order needs on its way is then at hand."""
        if self._is_up:
            self._line.send(_PING)

    def _log_in(self, socket: "SocketConnection") -> bool:
        args = self._signer.login(self._clock.now_ms() + _AHEAD_MS)
        socket.send(json.dumps({"op": "auth", "args": args}))
        answer = _message(socket.text(wait_s=5))
        return answer.get("op") == "auth" and answer.get("retCode") == 0

    def _hear(self, text: str) -> None:
        message = _message(text)
        name = message.get("reqId")
        if name is None:
            return
        with self._lock:
            sent = self._out.get(str(name))
        if sent is None:
            return  # a second time, or after it was given up
        result: Answer | OpenAlphaError
        try:
            result = read_message(message, what=sent.name, api_key=self._api_key)
        except BybitRefused as refused:
            result = self._judged(refused)
        except (NotNow, StaleClock) as busy:
            result = busy
        except OpenAlphaError as unknown:
            result = unknown
        self._tell(str(name), result)

    def _judged(self, refused: BybitRefused) -> OpenAlphaError:
        if refused.code == _TWICE:
            return FateUnknown("the trade socket was given one message twice")
        if refused.code in _LINE_REFUSED:
            self._distrust()
            return LineRefused(refused.message)
        return refused

    def _tell(self, name: str, result: Answer | OpenAlphaError) -> None:
        with self._lock:
            sent = self._out.pop(name, None)
        if sent is not None:
            sent.done(result)

    def _change(self, is_up: bool) -> None:
        with self._lock:
            self._is_up = is_up
        if not is_up:
            self._lose()

    def _look(self) -> None:
        """Open the line anew where an answer is late: what is out is then of unknown fate."""
        late_s = time.monotonic() - self._terms.answer_s
        with self._lock:
            is_late = any(sent.sent_s < late_s for sent in self._out.values())
        if is_late:
            self._distrust()

    def _distrust(self) -> None:
        with self._lock:
            self._is_up = False
        self._line.reopen()

    def _lose(self) -> None:
        with self._lock:
            names = list(self._out)
        for name in names:
            words = "the trade socket was cut, or gave no answer in time"
            self._tell(name, FateUnknown(words))


def _written(call: Call, name: str, *, stamp_ms: int, window_ms: int) -> str:
    params = {field: value for field, value in call.params.items() if value is not None}
    message = {
        "reqId": name,
        "header": {"X-BAPI-TIMESTAMP": str(stamp_ms), "X-BAPI-RECV-WINDOW": str(window_ms)},
        "op": _OPS[call.path],
        "args": [params],
    }
    return _WRITTEN.encode(message)


def _message(text: str) -> Mapping[str, Any]:
    try:
        content = json.loads(text)
    except ValueError:
        return {}
    return content if isinstance(content, Mapping) else {}
