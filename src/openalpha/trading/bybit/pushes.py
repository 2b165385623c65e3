"""What Bybit pushes of an account: a thread that listens, opened again whenever it is cut or mute.

It hands over messages as they came, as FEED inputs, and says by HEALTH inputs when it listens and
when not. It is a matter of speed alone: what is missed while nobody listened is asked for.
"""

import json
import queue
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from openalpha.core.clock import Clock
from openalpha.net.socket_line import LineTerms, SocketLine
from openalpha.store.exchange_key import ExchangeKey
from openalpha.store.frames import FrameKind, canonical_json
from openalpha.venue.bybit.hosts import socket_url
from openalpha.venue.bybit.signing import Signer

if TYPE_CHECKING:
    from openalpha.net.socket_connection import SocketConnection

__all__ = ["PrivatePushes"]

TOPICS = ("order", "execution", "position", "wallet")
_DCP_TOPICS = ("dcp.future", "dcp.spot")
_PING_S, _MUTE_S = 10.0, 25.0
_AHEAD_MS = 10_000


class PrivatePushes:
    """The private socket of one account.

    Parameters
    ----------
    key : ExchangeKey
    clock : Clock
        The venue's time, for the login's stamp.
    watches_dcp : bool
        Whether the venue is to take this line's death for the trader's (DCP).
    ping_s, mute_s : float
        How often it pings, and after how long without a word it is held to be dead.

    Attributes
    ----------
    on_news : callable
        Called in its thread whenever there is something to take.
    """

    def __init__(
        self,
        key: ExchangeKey,
        *,
        clock: Clock,
        watches_dcp: bool = False,
        ping_s: float = _PING_S,
        mute_s: float = _MUTE_S,
    ) -> None:
        self._clock, self._watches_dcp = clock, watches_dcp
        self._signer = Signer(key)
        self._heard: queue.SimpleQueue[tuple[FrameKind, bytes]] = queue.SimpleQueue()
        self._line = SocketLine(
            socket_url(key.url, "private"),
            greet=self._join,
            on_text=self._hear_text,
            on_change=self._change,
            terms=LineTerms(ping_s=ping_s, mute_s=mute_s),
        )
        self.on_news: Callable[[], object] = _nothing

    def start(self) -> None:
        """Begin to listen, in a thread of its own; failing to is no error, it goes on trying."""
        self._line.start()

    def take(self) -> list[tuple[FrameKind, bytes]]:
        """Return what came since, oldest first: kind and payload of inputs."""
        found = []
        while not self._heard.empty():
            found.append(self._heard.get_nowait())
        return found

    def close(self) -> None:
        """Hang up and end the thread; safe to repeat."""
        self._line.close()

    def _join(self, socket: "SocketConnection") -> bool:
        """Log in and subscribe; False where the venue does not take it."""
        args = self._signer.login(self._clock.now_ms() + _AHEAD_MS)
        socket.send(json.dumps({"op": "auth", "args": args}))
        if not _is_success(socket.text(wait_s=5)):
            return False
        socket.send(json.dumps({"op": "subscribe", "args": list(TOPICS)}))
        if self._watches_dcp:
            # By itself: where it is not granted it alone is refused.
            socket.send(json.dumps({"op": "subscribe", "args": list(_DCP_TOPICS)}))
        return True

    def _hear_text(self, text: str) -> None:
        if '"topic"' in text:
            self._hear(FrameKind.FEED, text.encode())

    def _change(self, is_up: bool) -> None:
        content: dict[str, Any] = {"what": "private_socket", "is_up": is_up}
        self._hear(FrameKind.HEALTH, canonical_json(content))

    def _hear(self, kind: FrameKind, payload: bytes) -> None:
        self._heard.put((kind, payload))
        self.on_news()


def _is_success(text: str) -> bool:
    try:
        return bool(json.loads(text).get("success"))
    except (ValueError, AttributeError):
        return False


def _nothing() -> None:
    """Stand for a loop that looks by itself."""
