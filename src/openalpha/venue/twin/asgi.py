"""The twin as an ASGI application: a thin skin that turns HTTP and WebSockets into calls.

Nothing leaves before what it follows from is on the disk: replies and pushes wait for one sync that
covers them, and one sync covers all that wait (`keeping`).
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from openalpha.venue.twin.exchange import Exchange
from openalpha.venue.twin.journal import Journal
from openalpha.venue.twin.keeping import Keeper
from openalpha.venue.twin.sockets import Hub, Session
from openalpha.venue.twin.wire import Reply, Request

__all__ = ["App", "Outlet"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

TICK_S = 0.01
MOST_BODY = 1_000_000


class App:
    """Serves one exchange.

    Parameters
    ----------
    exchange : Exchange
    journal : Journal, optional
        Where its records go; without one, a twin forgets everything when it ends.
    """

    def __init__(self, exchange: Exchange, journal: Journal | None = None) -> None:
        self.exchange = exchange
        self.hub = Hub(exchange)
        self.keeper = Keeper(exchange, journal)
        self._ticker: asyncio.Task[None] | None = None
        self._dirty: dict[int, Outlet] = {}
        self._held: deque[tuple[Request, Callable[[Reply], None]]] = deque()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection, as ASGI asks."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._socket(scope, receive, send)

    # what happens by itself

    async def _live(self, receive: Receive, send: Send) -> None:
        """Let the market move from the server's start to its end."""
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self._ticker = asyncio.create_task(self._tick())
                await send({"type": "lifespan.startup.complete"})
                continue
            if self._ticker is not None:
                self._ticker.cancel()
            await self.keeper.close()
            await send({"type": "lifespan.shutdown.complete"})
            return

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self.exchange.advance()
            self._tell()
            self.hub.pump()
            self.keeper.tend(loop.time())
            await asyncio.sleep(TICK_S)

    def _tell(self) -> None:
        pushes = self.exchange.take_pushes()
        if pushes:
            self.hub.publish(pushes)

    # requests

    def take(self, request: Request, answer: Callable[[Reply], None]) -> None:
        """Do what a request asks, and answer once that is on the disk (later, under a delay)."""
        if self.keeper.failure is not None:
            answer(_FAILED)
            return
        if request.path.startswith("/twin/"):
            self._do(request, answer)
            return
        held_ms = self.exchange.held_ms(request)
        if held_ms:
            self._held.append((request, answer))
            asyncio.get_running_loop().call_later(held_ms / 1000, self._do_held)
            return
        self._do(request, answer)
        self._do_held()

    def _do_held(self) -> None:
        """Do what a fault put behind the request that came after it."""
        while self._held:
            self._do(*self._held.popleft())

    def _do(self, request: Request, answer: Callable[[Reply], None]) -> None:
        reply = self.exchange.request(request)
        self._tell()
        self.keeper.then(partial(self._deliver, reply, answer))

    def _deliver(self, reply: Reply, answer: Callable[[Reply], None]) -> None:
        if self.keeper.failure is not None:
            answer(_FAILED)
        elif reply.delay_ms:
            asyncio.get_running_loop().call_later(reply.delay_ms / 1000, answer, reply)
        else:
            answer(reply)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request on a server other than ours, which hands them over whole (`http`)."""
        answered: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self.take(await _read(scope, receive), answered.set_result)
        reply = await answered
        if not reply.is_dropped:
            await _write(reply, send)

    # sockets

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        session = self.hub.open(
            scope["path"],
            query=scope["query_string"].decode("latin-1"),
            peer=scope["client"][0] if scope.get("client") else "",
        )
        write = scope.get("openalpha.write")
        if session is None or write is None:
            # Without a way to the transport (another server than ours) there are no sockets.
            await send({"type": "websocket.close", "code": 1008})
            return
        await send({"type": "websocket.accept"})
        closing = asyncio.Event()
        outlet = Outlet(session, closing, write, send)
        session.wake = partial(self._wake, outlet)
        writer = asyncio.create_task(self._end(outlet))
        reader = asyncio.create_task(self._read_all(session, receive))
        try:
            await asyncio.wait((reader, writer), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (reader, writer):
                task.cancel()
            for task in (reader, writer):
                with contextlib.suppress(asyncio.CancelledError, OSError, RuntimeError):
                    await task
            self.hub.close(session)

    def _wake(self, outlet: "Outlet") -> None:
        """Note that a session has something to send; all that have are written together."""
        if outlet.session.is_closed:
            outlet.closing.set()
        if not self._dirty:
            asyncio.get_running_loop().call_soon(self._flush)
        self._dirty[outlet.session.number] = outlet

    def _flush(self) -> None:
        """Write what waits in all sessions, as soon as the disk has what it follows from."""
        waiting = [(outlet, outlet.session.take()) for outlet in self._dirty.values()]
        self._dirty = {}
        self.keeper.then(partial(self._write, waiting))

    def _write(self, waiting: "list[tuple[Outlet, list[bytes]]]") -> None:
        if self.keeper.failure is None:
            _write_texts(waiting)

    async def _end(self, outlet: "Outlet") -> None:
        """Close the connection once its session is."""
        await outlet.closing.wait()
        await outlet.send({"type": "websocket.close", "code": 1000})

    async def _read_all(self, session: Session, receive: Receive) -> None:
        while True:
            message = await receive()
            if message["type"] != "websocket.receive":
                return
            self.hub.receive(session, message.get("text") or message.get("bytes") or b"")
            self._tell()


@dataclass(slots=True)
class Outlet:
    """Where a session's messages go: straight to its transport."""

    session: Session
    closing: asyncio.Event
    write: Callable[[bytes], object]
    send: Send


_FAILED = Reply(503, b"the twin's disk failed")


def _write_texts(waiting: list[tuple[Outlet, list[bytes]]]) -> None:
    """Write messages; what many sessions hear is framed once."""
    frames: dict[tuple[bytes, ...], bytes] = {}
    for outlet, texts in waiting:
        told = tuple(texts)
        if told not in frames:
            frames[told] = b"".join(map(_frame, told))
        if told:
            outlet.write(frames[told])


def _frame(body: bytes) -> bytes:
    """Return a text message as one WebSocket frame from the server, which masks none."""
    size = len(body)
    if size < 126:
        return bytes((0x81, size)) + body
    if size < 2**16:
        return b"\x81\x7e" + size.to_bytes(2, "big") + body
    return b"\x81\x7f" + size.to_bytes(8, "big") + body


async def _read(scope: Scope, receive: Receive) -> Request:
    """Return a connection's request with its whole body."""
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body") or len(body) > MOST_BODY:
            break
    return Request(
        method=scope["method"],
        path=scope["path"],
        query=scope["query_string"].decode("latin-1"),
        body=body,
        headers={
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in scope["headers"]
        },
        peer=scope["client"][0] if scope.get("client") else "",
    )


async def _write(reply: Reply, send: Send) -> None:
    headers = [(name.lower().encode(), value.encode()) for name, value in reply.headers.items()]
    headers.append((b"content-length", str(len(reply.body)).encode()))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    body = reply.body[: len(reply.body) // 2] if reply.is_cut else reply.body
    await send({"type": "http.response.body", "body": body, "more_body": reply.is_cut})
