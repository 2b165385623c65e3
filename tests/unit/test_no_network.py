"""Unit tests reach nothing: the guard in conftest bites."""

import socket

import pytest


def test_a_connection_is_refused() -> None:
    with socket.socket() as sock, pytest.raises(AssertionError, match="a unit test opened"):
        sock.connect(("127.0.0.1", 9))


def test_a_name_is_not_looked_up() -> None:
    with pytest.raises(AssertionError, match="loopback only"):
        socket.getaddrinfo("example.org", 80)
