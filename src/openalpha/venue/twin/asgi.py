"""The twin as an ASGI application: a thin skin that turns HTTP into requests and replies."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from openalpha.venue.twin.exchange import Exchange
from openalpha.venue.twin.wire import Reply, Request

__all__ = ["App"]

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
    """

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self._ticker: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection, as ASGI asks."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        """Let the market move from the server's start to its end."""
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self._ticker = asyncio.create_task(self._tick())
                await send({"type": "lifespan.startup.complete"})
            else:
                if self._ticker is not None:
                    self._ticker.cancel()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _tick(self) -> None:
        while True:
            self.exchange.advance()
            await asyncio.sleep(TICK_S)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = await _read(scope, receive)
        reply = self.exchange.request(request)
        await _write(reply, send)


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
    await send({"type": "http.response.body", "body": reply.body})
