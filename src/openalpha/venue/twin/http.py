"""The HTTP side of the twin's server: uvicorn's parser, its requests handed over whole.

A task, an event and a dozen calls for each request are what ASGI costs; here a request is one call
and its answer another. Answers of a connection leave in the order of its requests. An idle
connection stands until its client ends it.
"""

from collections import deque
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from openalpha.venue.twin.asgi import MOST_BODY, App
from openalpha.venue.twin.wire import Reply, Request

__all__ = ["WholeProtocol"]

MOST_PIPELINED = 64

_STATUS = {
    int(status): f"HTTP/1.1 {int(status)} {status.phrase}\r\n".encode() for status in HTTPStatus
}


@dataclass(slots=True)
class _Place:
    """The place of an answer in the order of a connection."""

    keeps_alive: bool
    has_body: bool
    reply: Reply | None = None


class WholeProtocol(HttpToolsProtocol):
    """Collects a request, hands it to the twin, writes the answer; uvicorn does the rest."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        assert isinstance(self.app, App), "the protocol of a twin and of nothing else"
        self.twin = self.app
        self.places: deque[_Place] = deque()
        self.body = b""
        self.is_ending = False

    def on_message_begin(self) -> None:
        """Begin a request."""
        self.url, self.body, self.headers = b"", b"", []

    def on_headers_complete(self) -> None:
        """Note what a request asks for; tell a client that waits for it to go on."""
        # An upgrade to a socket is uvicorn's, which wants no more of the scope than this.
        method = self.parser.get_method().decode("ascii")
        self.scope = {"method": method, "headers": self.headers}  # type: ignore[typeddict-item]
        if self.expect_100_continue:
            self.expect_100_continue = False
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        """Take a part of a body; what is too much is thrown away."""
        if len(self.body) <= MOST_BODY:
            self.body += body

    def on_message_complete(self) -> None:
        """Hand a request to the twin."""
        if self.parser.should_upgrade() and self._should_upgrade():
            return
        method = self.scope["method"]
        is_modern = self.parser.get_http_version() != "1.0"
        keeps = is_modern and self.parser.should_keep_alive() and not self.is_ending
        place = _Place(keeps, method != "HEAD")
        self.places.append(place)
        if len(self.places) >= MOST_PIPELINED:
            self.flow.pause_reading()
        if len(self.body) > MOST_BODY:
            place.keeps_alive = False
            self._answer(place, Reply(413, b""))
            return
        self.twin.take(self._request(method), partial(self._answer, place))

    def _request(self, method: str) -> Request:
        url = httptools.parse_url(self.url)
        return Request(
            method=method,
            path=unquote((url.path or b"/").decode("latin-1")),
            query=(url.query or b"").decode("latin-1"),
            body=self.body,
            headers={
                name.decode("latin-1"): value.decode("latin-1") for name, value in self.headers
            },
            peer=self.client[0] if self.client else "",
        )

    def _answer(self, place: _Place, reply: Reply) -> None:
        """Write an answer, and those that waited for it to go first."""
        place.reply = reply
        while self.places and (ready := self.places[0].reply) is not None:
            first = self.places.popleft()
            if not self.transport.is_closing():
                self._write(ready, first)
        if not self.places:
            self.flow.resume_reading()

    def _write(self, reply: Reply, place: _Place) -> None:
        self.server_state.total_requests += 1
        if reply.is_dropped:
            self.transport.abort()
            return
        body = reply.body[: len(reply.body) // 2] if reply.is_cut else reply.body
        keeps = place.keeps_alive and not reply.is_cut and not self.is_ending
        lines = [f"{name.lower()}: {value}\r\n" for name, value in reply.headers.items()]
        lines.append(f"content-length: {len(reply.body)}\r\n")
        if not keeps:
            lines.append("connection: close\r\n")
        dated = b"".join(b"%s: %s\r\n" % pair for pair in self.server_state.default_headers)
        head = _STATUS[reply.status] + dated + "".join(lines).encode("latin-1") + b"\r\n"
        self.transport.write(head + body if place.has_body else head)
        if not keeps:
            self.transport.close()

    def shutdown(self) -> None:
        """End the connection once all its requests are answered."""
        self.is_ending = True
        if not self.places:
            self.transport.close()
