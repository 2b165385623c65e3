"""A server that drips its answer for ever cannot hold us."""

import socket
import threading

import pytest

from openalpha.core.errors import VenueUnavailable
from openalpha.net import HttpTransport, Request


def test_an_answer_that_never_ends_is_given_up() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    is_over = threading.Event()

    def drip() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            for _ in range(2_000):
                if is_over.wait(0.02):
                    return
                try:
                    connection.sendall(b"x")
                except OSError:
                    return

    thread = threading.Thread(target=drip)
    thread.start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    try:
        with (
            HttpTransport(timeout_s=5, total_s=0.2) as network,
            pytest.raises(VenueUnavailable, match="did not finish its answer in time"),
        ):
            network.send(Request(url))
    finally:
        is_over.set()
        thread.join(timeout=10)
        listener.close()
