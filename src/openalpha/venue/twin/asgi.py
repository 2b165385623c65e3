"""The twin as an ASGI application: a thin skin that turns HTTP and WebSockets into calls.

Nothing leaves before what it follows from is on the disk: replies and pushes wait for one sync that
covers them, and one sync covers all that wait.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from typing import Any

from openalpha.core.errors import StorageError
from openalpha.venue.twin.durable import whole_state
from openalpha.venue.twin.exchange import Exchange
from openalpha.venue.twin.journal import Journal
from openalpha.venue.twin.sockets import Hub, Session
from openalpha.venue.twin.wire import Reply, Request

__all__ = ["App", "Outlet"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

TICK_S = 0.01
SAVE_EVERY_S = 60.0
MOST_BODY = 1_000_000

_log = logging.getLogger(__name__)


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
        self.journal = journal
        self.hub = Hub(exchange)
        self.failure: StorageError | None = None
        self.on_failure: Callable[[], None] | None = None
        self._ticker: asyncio.Task[None] | None = None
        self._commit: asyncio.Task[None] | None = None
        self._kept: asyncio.Future[None] | None = None
        self._saving: asyncio.Task[None] | None = None
        self._saved_s = 0.0
        self._disk = asyncio.Lock()
        self._turn = asyncio.Lock()
        self._dirty: dict[int, Outlet] = {}
        self._flushing: set[asyncio.Task[None]] = set()

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
            await self._close()
            await send({"type": "lifespan.shutdown.complete"})
            return

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        self._saved_s = loop.time()
        while True:
            self.exchange.advance()
            self._tell()
            self.hub.pump()
            is_due = loop.time() - self._saved_s > SAVE_EVERY_S
            if is_due and (self._saving is None or self._saving.done()):
                self._saving = asyncio.create_task(self._save())
                self._saved_s = loop.time()
            await asyncio.sleep(TICK_S)

    def _tell(self) -> None:
        pushes = self.exchange.take_pushes()
        if pushes:
            self.hub.publish(pushes)

    # keeping

    async def _synced(self) -> bool:
        """Wait until all that was written down so far is on the disk; False if it cannot be."""
        journal = self.journal
        if journal is None:
            return True
        number = journal.written
        while journal.synced < number and self.failure is None:
            if self._kept is None:
                self._kept = asyncio.get_running_loop().create_future()
                self._commit = asyncio.create_task(self._sync(self._kept))
            await asyncio.shield(self._kept)
        return self.failure is None

    async def _sync(self, kept: asyncio.Future[None]) -> None:
        """Put on the disk what waits, in another thread; one sync serves all who wait."""
        journal = self.journal
        assert journal is not None, "asked for where there is a journal"
        try:
            async with self._disk:
                lines, number = journal.take()
                await asyncio.to_thread(journal.sync, lines)
            journal.synced = number
        except StorageError as failure:
            # What was promised cannot be kept: nothing more is answered, and the server ends.
            self.failure = failure
            _log.error("journal failed error=%s", failure)
            if self.on_failure is not None:
                self.on_failure()
        finally:
            self._kept = None
            kept.set_result(None)

    async def _save(self) -> None:
        journal = self.journal
        if journal is None or not await self._synced() or journal.synced != journal.written:
            return
        async with self._disk:
            number = journal.written
            if journal.synced != number:
                return
            frozen = journal.freeze(whole_state(self.exchange))
            await asyncio.to_thread(journal.save, frozen, number=number)

    async def _close(self) -> None:
        if self.journal is not None:
            await self._save()
            self.journal.close()

    # connections

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = await _read(scope, receive)
        if self.failure is not None:
            await _write(Reply(503, b"the twin's disk failed"), send)
            return
        reply = self.exchange.request(request)
        self._tell()
        if not await self._synced():
            await _write(Reply(503, b"the twin's disk failed"), send)
            return
        if reply.delay_ms:
            await asyncio.sleep(reply.delay_ms / 1000)
        if not reply.is_dropped:
            await _write(reply, send)
        if reply.is_dropped or reply.is_cut:
            await _hang_up(scope)

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
        session.wake = lambda: self._wake(outlet)
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
        """Write what waits in all sessions, now or as soon as the disk has what it follows from."""
        dirty, self._dirty = self._dirty, {}
        journal = self.journal
        if not self._flushing and (journal is None or journal.synced == journal.written):
            _write_frames(dirty.values())
            return
        task = asyncio.create_task(self._flush_synced(list(dirty.values())))
        self._flushing.add(task)
        task.add_done_callback(self._flushing.discard)

    async def _flush_synced(self, outlets: "list[Outlet]") -> None:
        texts = [(outlet, outlet.session.take()) for outlet in outlets]
        # The order of messages is that of flushes: one after the other.
        async with self._turn:
            if await self._synced():
                _write_texts(texts)

    async def _end(self, outlet: "Outlet") -> None:
        """Close the connection once its session is."""
        await outlet.closing.wait()
        await outlet.send({"type": "websocket.close", "code": 1000})

    async def _read_all(self, session: Session, receive: Receive) -> None:
        while True:
            message = await receive()
            if message["type"] != "websocket.receive":
                return
            text = message.get("text")
            if text is None:
                text = (message.get("bytes") or b"").decode("utf-8", "replace")
            self.hub.receive(session, text)
            self._tell()


@dataclass(slots=True)
class Outlet:
    """Where a session's messages go: straight to its transport."""

    session: Session
    closing: asyncio.Event
    write: Callable[[bytes], object]
    send: Send


def _write_frames(outlets: Iterable[Outlet]) -> None:
    _write_texts([(outlet, outlet.session.take()) for outlet in outlets])


def _write_texts(waiting: list[tuple[Outlet, list[str]]]) -> None:
    """Write messages; what many sessions hear is framed once."""
    frames: dict[str, bytes] = {}
    for outlet, texts in waiting:
        if not texts:
            continue
        for text in texts:
            if text not in frames:
                frames[text] = _frame(text)
        outlet.write(b"".join(frames[text] for text in texts))


def _frame(text: str) -> bytes:
    """Return a text message as one WebSocket frame from the server, which masks none."""
    body = text.encode()
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


async def _hang_up(scope: Scope) -> None:
    """Cut a connection without a word more, where the server lets us."""
    abort = scope.get("openalpha.abort")
    if abort is not None:
        abort()
        # Until the server has noticed, an unfinished answer would be called a fault of ours.
        await asyncio.sleep(0.05)
