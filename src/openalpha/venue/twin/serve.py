"""Serves a twin on a port until it is told to stop."""

import asyncio
import gc
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from openalpha.core.errors import VenueUnavailable
from openalpha.venue.twin.asgi import App

if TYPE_CHECKING:
    import uvicorn

__all__ = ["Address", "bind", "make_server", "serve"]

LOOK_EVERY_S = 3_600.0
NEVER = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Address:
    """Where a twin listens; port 0 takes a free one."""

    port: int
    host: str = "127.0.0.1"


def bind(address: Address) -> socket.socket:
    """Take the port.

    Raises
    ------
    VenueUnavailable
        If the port is taken or the address is not this machine's.
    """
    taken = socket.socket(socket.AF_INET6 if ":" in address.host else socket.AF_INET)
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        taken.bind((address.host, address.port))
    except OSError as error:
        taken.close()
        raise VenueUnavailable(
            f"port {address.port} on {address.host} cannot be taken ({error.strerror}); "
            "stop what listens there, or give another --port"
        ) from None
    return taken


def serve(
    app: App,
    listener: socket.socket,
    *,
    seconds: float | None = None,
    ready: Callable[[], None] | None = None,
) -> None:
    """Serve until Ctrl-C, SIGTERM or, where given, so many seconds have passed.

    Parameters
    ----------
    app : App
    listener : socket
        As `bind` returns it; closed at the end.
    seconds : float, optional
    ready : callable, optional
        Called once the twin answers.

    Raises
    ------
    StorageError
        If the disk failed under the journal.
    """
    server = make_server(app)
    # What is there by now stays, and so does a history that grows: to look through all of it for
    # garbage would stop the twin for 20 to 100 ms, again and again. The young are looked through
    # as ever; what closed sockets leave behind waits for the hour.
    gc.collect()
    gc.freeze()
    thresholds = gc.get_threshold()
    gc.set_threshold(*thresholds[:2], NEVER)

    async def run() -> None:
        looking = asyncio.create_task(_look_for_garbage())
        task = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started and not task.done():
            await asyncio.sleep(0.01)
        if ready is not None and server.started:
            ready()
        if seconds is not None:
            await asyncio.wait([task], timeout=seconds)
            server.should_exit = True
        await task
        looking.cancel()

    try:
        with asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
            runner.run(run())
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()
        listener.close()
    if app.keeper.failure is not None:
        raise app.keeper.failure


async def _look_for_garbage() -> None:
    """Look through all that has come since the start, once an hour."""
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        gc.collect()


def make_server(app: App) -> "uvicorn.Server":
    """Return the server of a twin, not yet running."""
    import uvicorn

    from openalpha.venue.twin.http import WholeProtocol

    config = uvicorn.Config(
        app,
        http=WholeProtocol,
        log_level="error",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=2,
        ws_ping_interval=None,
        ws_max_size=1_000_000,
        ws=_writable(),
        ws_per_message_deflate=False,
    )
    server = uvicorn.Server(config)

    def stop() -> None:
        server.should_exit = True

    app.keeper.on_failure = stop
    return server


def _writable() -> type[asyncio.Protocol]:
    """Return uvicorn's WebSocket protocol, with a way to write frames straight to the transport.

    A market tells hundreds of sockets the same; through the server each would be framed anew.
    """
    from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
    from websockets.http11 import Request

    class WritableProtocol(WebSocketsSansIOProtocol):
        def handle_connect(self, event: Request) -> None:
            super().handle_connect(event)
            scope: dict[str, Any] = self.scope  # type: ignore[assignment]  # ours to extend
            transport = self.transport

            def write(data: bytes) -> None:
                if not transport.is_closing():
                    transport.write(data)

            scope["openalpha.write"] = write

    return WritableProtocol
