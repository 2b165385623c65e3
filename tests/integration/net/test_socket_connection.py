"""Our own end of a WebSocket, against the library's server: whole messages, and every bad end."""

import queue
import socket as sockets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.server import Server, serve

from openalpha.net.socket_connection import SocketConnection
from openalpha.net.socket_line import LineTerms, SocketLine

WAIT_S = 10.0


@contextmanager
def server(lead: Callable[[Any], object], **more: Any) -> Iterator[tuple[str, Server]]:
    made = serve(lead, "127.0.0.1", 0, **more)
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"ws://127.0.0.1:{made.socket.getsockname()[1]}", made
    finally:
        made.shutdown()
        thread.join(WAIT_S)


def heard(connection: SocketConnection, count: int) -> list[str]:
    texts: list[str] = []
    ends = time.monotonic() + WAIT_S
    while len(texts) < count:
        assert time.monotonic() < ends, texts
        connection.hear(texts.append, wait_s=0.05)
    return texts


def test_messages_come_whole_and_in_order() -> None:
    large = "ä" * 100_000

    def lead(socket: Any) -> None:
        assert socket.recv() == "hello"
        for text in ("one", ["in ", "three ", "parts"], large, b"bytes", "last"):
            socket.send(text)
        socket.recv()

    with server(lead) as (url, _):
        connection = SocketConnection(url, open_s=WAIT_S)
        connection.send("hello")
        assert connection.text(wait_s=WAIT_S) == "one"
        assert heard(connection, 4) == ["in three parts", large, "bytes", "last"]
        with pytest.raises(TimeoutError):
            connection.text(wait_s=0.01)
        connection.close()
        connection.close()
        assert not connection.try_to_send("too late")


def test_pings_are_answered_while_it_listens() -> None:
    answered = threading.Event()

    def lead(socket: Any) -> None:
        assert socket.ping().wait(WAIT_S)
        answered.set()
        socket.recv()

    with server(lead) as (url, _):
        connection = SocketConnection(url, open_s=WAIT_S)
        ends = time.monotonic() + WAIT_S
        while not answered.is_set():
            assert time.monotonic() < ends
            connection.hear(str, wait_s=0.02)
        connection.close()


@pytest.mark.parametrize("how", ["close", "cut"])
def test_what_came_before_the_end_is_handed_over(how: str) -> None:
    def lead(socket: Any) -> None:
        socket.send("the last word")
        if how == "cut":
            socket.socket.shutdown(sockets.SHUT_RDWR)

    with server(lead) as (url, _):
        connection = SocketConnection(url, open_s=WAIT_S)
        texts: list[str] = []

        def listen() -> None:
            for _ in range(1000):
                connection.hear(texts.append, wait_s=0.05)

        with pytest.raises(ConnectionError):
            listen()
        assert texts == ["the last word"]
        assert not connection.try_to_send("too late")
        connection.close()


def test_who_is_not_wanted_is_told_why() -> None:
    def refuse(socket: Any, request: Any) -> Any:
        return socket.respond(403, "no")

    with (
        server(lambda socket: None, process_request=refuse) as (url, _),
        pytest.raises(InvalidStatus),
    ):
        SocketConnection(url, open_s=WAIT_S)


def test_nobody_there_nobody_answering_and_no_certificate() -> None:
    with sockets.create_server(("127.0.0.1", 0)) as mute:
        place = f"127.0.0.1:{mute.getsockname()[1]}"
        with pytest.raises(TimeoutError):
            SocketConnection(f"ws://{place}", open_s=0.1)
        with pytest.raises(OSError, match=r"timed out|handshake"):
            SocketConnection(f"wss://{place}", open_s=0.1)
    with pytest.raises(ConnectionRefusedError):
        SocketConnection(f"ws://{place}", open_s=WAIT_S)


def test_a_peer_that_takes_nothing_holds_nobody_up() -> None:
    taken: queue.SimpleQueue[float] = queue.SimpleQueue()

    def lead(socket: Any) -> None:
        taken.get(timeout=WAIT_S)

    with server(lead, max_queue=1, close_timeout=0.1) as (url, _):
        connection = SocketConnection(url, open_s=WAIT_S)
        sent = 0
        while connection.try_to_send("x" * 1_000_000):
            sent += 1
            assert sent < 500
        assert not connection.try_to_send("half a message may have left: none follows it")
        taken.put(0.0)
        connection.close()


def test_a_line_is_awake_when_it_is_to_be() -> None:
    """It asks again and again whether it may sleep, and hears meanwhile."""
    asked: list[float] = []
    texts: queue.SimpleQueue[str] = queue.SimpleQueue()
    awake = threading.Event()

    def may_sleep_s() -> float:
        asked.append(time.monotonic())
        return 0.0 if awake.is_set() else 60.0

    def lead(socket: Any) -> None:
        for text in socket:
            socket.send(f"{text}!")

    with server(lead) as (url, _):
        line = SocketLine(
            url,
            greet=lambda socket: True,
            on_text=texts.put,
            on_change=lambda is_up: None,
            terms=LineTerms(ping="ping", ping_s=0.3, mute_s=WAIT_S),
            may_sleep_s=may_sleep_s,
        )
        line.start()
        assert texts.get(timeout=WAIT_S) == "ping!"
        count = len(asked)
        awake.set()
        assert texts.get(timeout=WAIT_S) == "ping!"
        line.close()
    assert len(asked) > count + 100
