"""One WebSocket kept open: a thread that pings, and opens it anew when it is cut or mute.

What is heard goes to a function of the caller's, in the thread that reads. A line that fails is no
error: it says that it is down and goes on trying, longer apart each time.
"""

import random
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from openalpha.net.socket_connection import SocketConnection

__all__ = ["LineTerms", "SocketLine"]

_LOOK_S = 0.2
"""How long a line waits for a message at most before it looks around."""


@dataclass(frozen=True, slots=True)
class LineTerms:
    """How a line is kept.

    Parameters
    ----------
    ping : str
        The text the server wants to hear now and then.
    ping_s : float
        How often.
    mute_s : float
        After how long without a word the line is held to be dead.
    first_wait_s, longest_wait_s : float
        Before it is opened anew.
    open_s : float
        How long opening may take.
    """

    ping: str = '{"op":"ping"}'
    ping_s: float = 20.0
    mute_s: float = 45.0
    first_wait_s: float = 0.2
    longest_wait_s: float = 10.0
    open_s: float = 5.0


class SocketLine:
    """A WebSocket to one address.

    Parameters
    ----------
    url : str
    greet : callable
        Given the open connection: log in, subscribe. False: the server does not take it.
    on_text : callable
        Told every message, in the thread that reads.
    on_change : callable
        Told True once it listens, False once it does not any more.
    terms : LineTerms
    on_look : callable
        Called several times a second while it listens, in the thread that reads.
    may_sleep_s : callable, optional
        Returns how long that thread may sleep until a message comes: 0 where one is due, which
        is then awaited wide awake.
    """

    def __init__(
        self,
        url: str,
        *,
        greet: "Callable[[SocketConnection], bool]",
        on_text: Callable[[str], None],
        on_change: Callable[[bool], None],
        terms: LineTerms | None = None,
        on_look: Callable[[], None] = lambda: None,
        may_sleep_s: Callable[[], float] | None = None,
    ) -> None:
        self._url, self._greet = url, greet
        self._on_text, self._on_change, self._on_look = on_text, on_change, on_look
        self._may_sleep_s = _look_now_and_then if may_sleep_s is None else may_sleep_s
        self._terms = terms if terms is not None else LineTerms()
        self._over = threading.Event()
        self._is_to_reopen = False
        self._thread: threading.Thread | None = None
        self._socket: SocketConnection | None = None
        self.heard_s = 0.0
        self.opened = 0

    def start(self) -> None:
        """Begin to listen, in a thread of its own."""
        self._thread = threading.Thread(target=self._lead, name=f"line {self._url}", daemon=True)
        self._thread.start()

    def reopen(self) -> None:
        """Hang up and open anew: what was heard does not fit together."""
        self._is_to_reopen = True

    def send(self, text: str) -> bool:
        """Send a message at once; False where the line is down or takes nothing, and opens anew.

        Any thread may call it; bounded in time. False does not say that nothing of it arrived.
        """
        socket = self._socket
        if socket is None:
            return False
        is_sent = socket.try_to_send(text)
        if not is_sent:
            self.reopen()
        return is_sent

    def rehearse(self, text: str) -> None:
        """Do what sending a message takes, and send nothing."""
        socket = self._socket
        if socket is not None:
            socket.rehearse(text)

    def close(self) -> None:
        """Hang up and end the thread; safe to repeat."""
        self._over.set()
        if self._thread is not None:
            self._thread.join(timeout=10)
            self._thread = None

    def _lead(self) -> None:
        from websockets.exceptions import WebSocketException

        from openalpha.net.socket_connection import SocketConnection

        wait_s = self._terms.first_wait_s
        while not self._over.is_set():
            try:
                # No pings but our own, as the venue wants them; nothing is compressed, which costs
                # more than it saves.
                with closing(SocketConnection(self._url, open_s=self._terms.open_s)) as socket:
                    if self._greet(socket):
                        wait_s = self._terms.first_wait_s
                        self._be_up(socket)
            except (WebSocketException, OSError):
                pass
            # Not all at once after an outage.
            self._over.wait(wait_s * random.uniform(0.5, 1.0))
            wait_s = min(wait_s * 2, self._terms.longest_wait_s)

    def _be_up(self, socket: "SocketConnection") -> None:
        self.opened += 1
        self._socket, self._is_to_reopen = socket, False
        self._on_change(True)
        try:
            self._listen(socket)
        finally:
            # Said before it is hung up: a line that is dead takes its time over that.
            self._socket = None
            self._on_change(False)

    def _listen(self, socket: "SocketConnection") -> None:
        """Hear until it is cut, mute or not wanted any more."""
        self.heard_s = pinged_s = looked_s = time.monotonic()
        while not self._over.is_set() and not self._is_to_reopen:
            socket.hear(self._hear, wait_s=min(self._may_sleep_s(), _LOOK_S))
            now_s = time.monotonic()
            if now_s - looked_s < _LOOK_S:
                continue
            looked_s = now_s
            self._on_look()
            if now_s - self.heard_s > self._terms.mute_s:
                return
            if now_s - pinged_s > self._terms.ping_s:
                pinged_s = now_s
                socket.send(self._terms.ping)

    def _hear(self, text: str) -> None:
        self.heard_s = time.monotonic()
        if not self._is_to_reopen:
            self._on_text(text)


def _look_now_and_then() -> float:
    return _LOOK_S
