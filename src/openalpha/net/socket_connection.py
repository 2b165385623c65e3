"""An open WebSocket that hands each message over in the very thread that read it.

The library's own connection leaves a message for whoever calls `recv`: one thread more to be woken
between the wire and the one who waits. Imported only where a socket is opened.
"""

import queue
import socket as sockets
import struct
import threading
from collections.abc import Callable
from typing import Any

from websockets.exceptions import WebSocketException
from websockets.frames import Frame, Opcode
from websockets.sync.client import ClientConnection

__all__ = ["SocketConnection"]

_SEND_S = 1
"""How long a send may wait for a line that takes nothing."""


class SocketConnection(ClientConnection):
    """A connection whose texts go to a function; what comes before there is one, waits for it.

    `text` returns the messages of a login, one after the other.
    """

    def __init__(self, socket: sockets.socket, *args: Any, **kwargs: Any) -> None:
        self._texts: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._on_text: Callable[[str], None] | None = None
        self._handing = threading.Lock()
        socket.setsockopt(sockets.IPPROTO_TCP, sockets.TCP_NODELAY, 1)
        # The library waits without end; the system's own bound holds for TLS, too.
        socket.setsockopt(sockets.SOL_SOCKET, sockets.SO_SNDTIMEO, struct.pack("ll", _SEND_S, 0))
        super().__init__(socket, *args, **kwargs)

    def text(self, *, wait_s: float) -> str:
        """Return the next message, before `hand_to`.

        Raises
        ------
        TimeoutError
            If none comes in time.
        """
        try:
            return self._texts.get(timeout=wait_s)
        except queue.Empty:
            raise TimeoutError from None

    def hand_to(self, on_text: Callable[[str], None]) -> None:
        """Hand every message over, those first that came already; all in order."""
        with self._handing:
            while not self._texts.empty():
                on_text(self._texts.get_nowait())
            self._on_text = on_text

    def try_to_send(self, text: str) -> bool:
        """Send a message; False where the connection is over or takes nothing in time."""
        try:
            self.send(text)
        except (WebSocketException, OSError):
            return False
        return True

    def process_event(self, event: Any) -> None:
        """Take what the protocol read; called by the library in its reading thread."""
        is_text = isinstance(event, Frame) and event.opcode is Opcode.TEXT and event.fin
        if not is_text:
            super().process_event(event)
            return
        text = bytes(event.data).decode("utf-8", "replace")
        with self._handing:
            if self._on_text is None:
                self._texts.put(text)
            else:
                self._on_text(text)
