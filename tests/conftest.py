"""What every test shares: an own home, recorded data where the machine has some, no network."""

import ipaddress
import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

TESTS = Path(__file__).parent

# Reproducible in the gate; a deadline would make a slow machine fail.
settings.register_profile(
    "gate",
    deadline=None,
    derandomize=True,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("nightly", settings.get_profile("gate"), derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "gate"))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder of recorded market data, or skip where the machine has none."""
    named = os.environ.get("OPENALPHA_TEST_DATA")
    if not named:
        pytest.skip("recorded market data is not here: OPENALPHA_TEST_DATA names its folder")
    folder = Path(named)
    assert folder.is_dir(), f"OPENALPHA_TEST_DATA names {folder}, which is not a folder"
    return folder


@pytest.fixture(scope="session")
def tax_examples() -> list[dict[str, Any]]:
    """Return worked tax examples kept outside the repository, or skip where there are none."""
    named = os.environ.get("OPENALPHA_TEST_TAX")
    if not named:
        pytest.skip("worked tax examples are not here: OPENALPHA_TEST_TAX names their file")
    found: list[dict[str, Any]] = json.loads(Path(named).read_text("utf-8"))
    return found


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a home folder of the test's own; it does not exist yet."""
    path = tmp_path / "home"
    monkeypatch.setenv("OPENALPHA_HOME", str(path))
    return path


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "real_data" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.real_data)


class NetworkBlocked(AssertionError):
    """A test tried to reach the network."""


@pytest.fixture(autouse=True)
def _no_network(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tests reach loopback only; unit tests connect to nothing at all."""
    path = Path(str(request.node.path))
    is_unit = (TESTS / "unit") in path.parents
    connect = socket.socket.connect
    connect_ex = socket.socket.connect_ex
    getaddrinfo = socket.getaddrinfo

    def check(sock: socket.socket, address: Any) -> None:
        if sock.family == socket.AF_UNIX:
            return
        if is_unit:
            raise NetworkBlocked(f"a unit test opened a connection to {address}")
        if not _is_loopback(address[0]):
            raise NetworkBlocked(f"a test tried to reach {address}; tests reach loopback only")

    def guarded(sock: socket.socket, address: Any) -> None:
        check(sock, address)
        connect(sock, address)

    def guarded_ex(sock: socket.socket, address: Any) -> int:
        check(sock, address)
        return connect_ex(sock, address)

    def resolved(host: Any, *arguments: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name and not _is_loopback(name):
            raise NetworkBlocked(f"a test asked for the address of {name}; loopback only")
        return getaddrinfo(host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    monkeypatch.setattr(socket.socket, "connect", guarded)
    monkeypatch.setattr(socket.socket, "connect_ex", guarded_ex)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
