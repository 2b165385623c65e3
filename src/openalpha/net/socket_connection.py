"""An open WebSocket that is led by the thread that reads it: no other is woken for a message.

The protocol is the `websockets` library's own, without its threads. Imported only where a socket is
opened.
"""

import select
import socket as sockets
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from websockets.client import ClientProtocol
from websockets.exceptions import WebSocketException
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

__all__ = ["SocketConnection"]

_BOUND_S = 1.0
"""How long a line that takes nothing, or stops within a message, may hold anybody up."""
_CLOSE_S = 0.5
_READ = 1 << 16
_LARGEST = 1 << 22


class SocketConnection:
    """A WebSocket; one thread reads, any may send.

    Parameters
    ----------
    url : str
        `ws://` or `wss://`.
    open_s : float
        How long opening may take.

    Raises
    ------
    OSError
        If it cannot be reached, or does not answer in time.
    WebSocketException
        If it does not speak the protocol.
    """

    def __init__(self, url: str, *, open_s: float) -> None:
        uri = parse_uri(url)
        ends_s = time.monotonic() + open_s
        self._sending = threading.Lock()
        self._texts: list[str] = []
        self._parts: list[bytes] = []
        self._protocol = ClientProtocol(uri, max_size=_LARGEST)
        self._socket = sockets.create_connection((uri.host, uri.port), timeout=open_s)
        try:
            self._socket.setsockopt(sockets.IPPROTO_TCP, sockets.TCP_NODELAY, 1)
            if uri.secure:
                secure = ssl.create_default_context()
                self._socket = secure.wrap_socket(self._socket, server_hostname=uri.host)
            self._socket.settimeout(_BOUND_S)
            self._poll = select.poll()
            self._poll.register(self._socket, select.POLLIN)
            self._shake_hands(ends_s)
        except BaseException:
            self._socket.close()
            raise

    def send(self, text: str) -> None:
        """Send a message; bounded in time.

        Raises
        ------
        OSError
            If the connection is over or takes nothing in time.
        """
        with self._sending:
            if self._protocol.state is not State.OPEN:
                raise ConnectionError("the connection is over")
            self._protocol.send_text(text.encode())
            self._flush()

    def try_to_send(self, text: str) -> bool:
        """Send a message; False where the connection is over or takes nothing in time."""
        try:
            self.send(text)
        except (WebSocketException, OSError):
            return False
        return True

    def rehearse(self, text: str) -> None:
        """Do what sending a message takes, and send nothing."""
        Frame(Opcode.TEXT, text.encode()).serialize(mask=True)

    def text(self, *, wait_s: float) -> str:
        """Return the next message.

        Raises
        ------
        TimeoutError
            If none comes in time.
        OSError
            If the connection is over.
        """
        ends_s = time.monotonic() + wait_s
        while not self._texts:
            left_s = ends_s - time.monotonic()
            if left_s <= 0:
                raise TimeoutError
            self._read(left_s)
        return self._texts.pop(0)

    def hear(self, on_text: Callable[[str], None], *, wait_s: float) -> None:
        """Hand over every message that is there; wait so long for a first one.

        Raises
        ------
        OSError
            If the connection is over, once what came before its end was handed over.
        """
        try:
            if not self._texts:
                self._read(wait_s)
        finally:
            texts, self._texts = self._texts, []
            for text in texts:
                on_text(text)

    def close(self) -> None:
        """Say goodbye, wait a moment for the answer, and hang up; safe to repeat."""
        with suppress(WebSocketException, OSError):
            with self._sending:
                if self._protocol.state is State.OPEN:
                    self._protocol.send_close(1000)
                    self._flush()
            ends_s = time.monotonic() + _CLOSE_S
            while (left_s := ends_s - time.monotonic()) > 0:
                self._read(left_s)
        self._socket.close()

    def _shake_hands(self, ends_s: float) -> None:
        self._protocol.send_request(self._protocol.connect())
        self._flush()
        while self._protocol.state is State.CONNECTING and self._protocol.handshake_exc is None:
            left_s = ends_s - time.monotonic()
            if left_s <= 0:
                raise TimeoutError("the server does not answer")
            self._read(left_s)
        if self._protocol.handshake_exc is not None:
            raise self._protocol.handshake_exc

    def _read(self, wait_s: float) -> None:
        """Take in what is there, or comes in time."""
        is_there = isinstance(self._socket, ssl.SSLSocket) and self._socket.pending()
        if not is_there and not self._poll.poll(wait_s * 1000):
            return
        data = self._socket.recv(_READ)
        with self._sending:
            if data:
                self._protocol.receive_data(data)
            else:
                self._protocol.receive_eof()
            events = self._protocol.events_received()
            self._flush()
        for event in events:
            if isinstance(event, Frame):
                self._take(event)
        if not data or self._protocol.state in (State.CLOSING, State.CLOSED):
            raise ConnectionError("the connection is over")

    def _take(self, frame: Frame) -> None:
        if frame.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            return
        self._parts.append(bytes(frame.data))
        if frame.fin:
            self._texts.append(b"".join(self._parts).decode("utf-8", "replace"))
            self._parts.clear()

    def _flush(self) -> None:
        """Write what the protocol has to say; `_sending` is held."""
        try:
            for data in self._protocol.data_to_send():
                if data:
                    self._socket.sendall(data)
        except OSError:
            # Half a message may have left: nothing can follow it, and whoever reads hears of it.
            with suppress(OSError):
                self._socket.shutdown(sockets.SHUT_RDWR)
            raise
