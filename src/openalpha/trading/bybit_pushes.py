"""What Bybit pushes of an account: a thread that listens, opened again whenever it is cut or mute.

It hands over messages as they came, as FEED inputs, and says by HEALTH inputs when it listens and
when not. It is a matter of speed alone: what is missed while nobody listened is asked for.
"""

import json
import queue
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from openalpha.core.clock import Clock
from openalpha.store.exchange_key import ExchangeKey
from openalpha.store.frames import FrameKind, canonical_json
from openalpha.venue.bybit.signing import Signer

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

__all__ = ["PrivatePushes", "socket_url"]

TOPICS = ("order", "execution", "position", "wallet")
_PING_S, _MUTE_S, _FIRST_WAIT_S, _LONGEST_WAIT_S = 10.0, 25.0, 0.2, 10.0
_AHEAD_MS = 10_000


class PrivatePushes:
    """The private socket of one account.

    Parameters
    ----------
    key : ExchangeKey
    clock : Clock
        The venue's time, for the login's stamp.
    ping_s, mute_s : float
        How often it pings, and after how long without a word it is held to be dead.

    Attributes
    ----------
    on_news : callable
        Called in its thread whenever there is something to take.
    """

    def __init__(
        self, key: ExchangeKey, *, clock: Clock, ping_s: float = _PING_S, mute_s: float = _MUTE_S
    ) -> None:
        self._key, self._clock = key, clock
        self._signer = Signer(key)
        self._ping_s, self._mute_s = ping_s, mute_s
        self._heard: queue.SimpleQueue[tuple[FrameKind, bytes]] = queue.SimpleQueue()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self.on_news: Callable[[], object] = _nothing

    def start(self) -> None:
        """Begin to listen, in a thread of its own; failing to is no error, it goes on trying."""
        self._thread = threading.Thread(target=self._lead, name="private pushes", daemon=True)
        self._thread.start()

    def take(self) -> list[tuple[FrameKind, bytes]]:
        """Return what came since, oldest first: kind and payload of inputs."""
        found = []
        while not self._heard.empty():
            found.append(self._heard.get_nowait())
        return found

    def close(self) -> None:
        """Hang up and end the thread; safe to repeat."""
        self._over.set()
        if self._thread is not None:
            self._thread.join(timeout=10)
            self._thread = None

    def _lead(self) -> None:
        from websockets.exceptions import WebSocketException
        from websockets.sync.client import connect

        wait_s = _FIRST_WAIT_S
        while not self._over.is_set():
            is_up = False
            try:
                # Our own pings, as the venue wants them; compression costs more than it saves.
                with connect(
                    socket_url(self._key.url), ping_interval=None, compression=None, open_timeout=5
                ) as socket:
                    is_up = self._join(socket)
                    if is_up:
                        self._say(is_up=True)
                        wait_s = _FIRST_WAIT_S
                        self._listen(socket)
            except (WebSocketException, OSError, TimeoutError):
                pass
            if is_up:
                self._say(is_up=False)
            self._over.wait(wait_s)
            wait_s = min(wait_s * 2, _LONGEST_WAIT_S)

    def _join(self, socket: "ClientConnection") -> bool:
        """Log in and subscribe; False where the venue does not take it."""
        stamp_ms = self._clock.now_ms() + _AHEAD_MS
        signed = self._signer.sign(f"GET/realtime{stamp_ms}")
        args = [self._key.api_key, stamp_ms, signed]
        socket.send(json.dumps({"op": "auth", "args": args}))
        if not _is_success(socket.recv(timeout=5)):
            return False
        socket.send(json.dumps({"op": "subscribe", "args": list(TOPICS)}))
        return True

    def _listen(self, socket: "ClientConnection") -> None:
        """Hear until it is cut, mute or not wanted any more."""
        heard_s = pinged_s = time.monotonic()
        while not self._over.is_set():
            try:
                text = socket.recv(timeout=0.2)
            except TimeoutError:
                text = ""
            now_s = time.monotonic()
            if text:
                heard_s = now_s
                content = text.encode() if isinstance(text, str) else text
                if b'"topic"' in content:
                    self._hear(FrameKind.FEED, content)
            elif now_s - heard_s > self._mute_s:
                return
            if now_s - pinged_s > self._ping_s:
                pinged_s = now_s
                socket.send('{"op":"ping"}')

    def _say(self, *, is_up: bool) -> None:
        content: dict[str, Any] = {"what": "private_socket", "is_up": is_up}
        self._hear(FrameKind.HEALTH, canonical_json(content))

    def _hear(self, kind: FrameKind, payload: bytes) -> None:
        self._heard.put((kind, payload))
        self.on_news()


def socket_url(url: str) -> str:
    """Return the private socket of a server.

    Examples
    --------
    >>> socket_url("https://api-testnet.bybit.com"), socket_url("http://127.0.0.1:8315")
    ('wss://stream-testnet.bybit.com/v5/private', 'ws://127.0.0.1:8315/v5/private')
    """
    parts = urlsplit(url)
    host = parts.netloc
    if host.startswith(("api.", "api-")):
        host = "stream" + host.removeprefix("api")
    return f"{'wss' if parts.scheme == 'https' else 'ws'}://{host}/v5/private"


def _is_success(text: str | bytes) -> bool:
    try:
        return bool(json.loads(text).get("success"))
    except (ValueError, AttributeError):
        return False


def _nothing() -> None:
    """Stand for a loop that looks by itself."""
