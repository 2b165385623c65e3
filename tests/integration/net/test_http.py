"""The real transport against a real server on loopback: slow, cut short, refused, redirected."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from openalpha.core.errors import InputError, NotSent, VenueUnavailable
from openalpha.net import HttpTransport, Request


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    release = threading.Event()

    def do_GET(self) -> None:
        if self.path == "/slow":
            self.release.wait(10)
            self.close_connection = True
        elif self.path == "/cut":
            self._answer(200, b"half", length=100)
            self.close_connection = True
        elif self.path == "/dead":
            self.close_connection = True
        elif self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/fine")
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            self._answer(404 if self.path == "/none" else 200, self.path.encode())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(200, self.headers["X-Kind"].encode() + b":" + body)

    def _answer(self, status: int, body: bytes, length: int | None = None) -> None:
        self.send_response(status)
        self.send_header("X-Answer", "Yes")
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def address() -> Iterator[str]:
    Handler.release.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        Handler.release.set()
        server.shutdown()
        server.server_close()
        thread.join()


def test_an_answer_comes_whole(address: str) -> None:
    with HttpTransport() as transport:
        answer = transport.send(Request(f"{address}/fine?x=1"))
        assert (answer.status, answer.text) == (200, "/fine?x=1")
        assert answer.headers["x-answer"] == "Yes"
        assert transport.send(Request(f"{address}/none")).status == 404
        assert transport.send(Request(f"{address}/moved")).text == "/fine"


def test_what_must_not_move_stays(address: str) -> None:
    with HttpTransport() as transport:
        answer = transport.send(Request(f"{address}/moved", may_move=False))
    assert (answer.status, answer.text) == (302, "")


def test_body_and_headers_are_sent_as_they_are(address: str) -> None:
    with HttpTransport() as transport:
        request = Request(address, "POST", {"X-Kind": "json"}, b'{"a": 1}')
        assert transport.send(request).body == b'json:{"a": 1}'


@pytest.mark.parametrize(
    ("path", "words"),
    [("/slow", "within 0.2 s"), ("/cut", "cannot be reached"), ("/dead", "reached")],
)
def test_no_whole_answer_is_no_answer(path: str, words: str, address: str) -> None:
    with HttpTransport(timeout_s=0.2) as transport, pytest.raises(VenueUnavailable, match=words):
        transport.send(Request(address + path))


def test_nobody_there(address: str) -> None:
    with HttpTransport() as transport, pytest.raises(NotSent, match="cannot be reached"):
        transport.send(Request("http://127.0.0.1:9/"))


@pytest.mark.parametrize("url", ["nonsense", "ftp://x/y", "http://", "http://[::1", "http://h:x/"])
def test_what_is_no_address_is_the_users_input(url: str) -> None:
    with HttpTransport() as transport, pytest.raises(InputError, match="not a web address"):
        transport.send(Request(url))


def test_a_proxy_of_the_environment_is_not_used_for_loopback(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with HttpTransport() as transport:
        assert transport.send(Request(f"{address}/fine")).status == 200
