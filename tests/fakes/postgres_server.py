"""A real PostgreSQL server for the tests, from the binaries of the pgserver wheel.

PostgreSQL refuses to run as root: there the binaries are copied to a folder that everybody may read
and run as `nobody`. Nobody is added to the machine and no permission of ours is widened.
"""

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_OPTIONS = ("fsync=off", "full_page_writes=off", "listen_addresses=", "max_connections=30")


class PostgresServer:
    """A server in a folder of its own; it may be killed and started again on the same data."""

    def __init__(self, folder: Path) -> None:
        spec = importlib.util.find_spec("pgserver")
        if spec is None or spec.origin is None:
            pytest.skip("no PostgreSQL here: the wheel pgserver is not installed")
        self._folder, self._user = folder, "nobody" if os.geteuid() == 0 else None
        package = Path(spec.origin).parent
        self._binaries = _binaries(package, folder, is_root=self._user is not None)
        self._data, self._socket = folder / "data", folder / "socket"
        for made in (self._data, self._socket):
            made.mkdir(mode=0o700)
            if self._user:
                shutil.chown(made, self._user)
        initdb = [self._binaries / "initdb", "-D", self._data, "-U", "postgres", "-A", "trust"]
        options = ["--no-sync", "-E", "UTF8", "--locale=C"]
        _run([*initdb, *options], self._user, folder)
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The address of its first database."""
        return f"postgresql://postgres@/postgres?host={self._socket}"

    @property
    def is_up(self) -> bool:
        """Whether its process is there."""
        return self._server is not None and self._server.poll() is None

    def start(self) -> None:
        """Start it and wait until it answers; what a killed one left is waited for."""
        for _ in range(50):
            if self._started():
                return
            time.sleep(0.1)
        pytest.skip("no PostgreSQL here: the server does not start")

    def kill(self) -> None:
        """End it by kill -9: nothing is said, nothing is written down."""
        assert self._server is not None
        self._server.kill()
        self._server.wait()

    def stop(self) -> None:
        """End it at once, whoever is still connected."""
        if self._server is not None:
            self._server.send_signal(signal.SIGINT)
            self._server.wait(timeout=60)

    def _started(self) -> bool:
        options = (*_OPTIONS, f"unix_socket_directories={self._socket}")
        given = " ".join(f"-c {option}" for option in options).split()
        self._server = subprocess.Popen(
            [str(self._binaries / "postgres"), "-D", str(self._data), *given],
            user=self._user, cwd=self._folder, env=_environment(),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        ready = [self._binaries / "pg_isready", "-h", self._socket, "-t", "30"]
        for _ in range(200):
            if self._server.poll() is not None:
                return False
            if _run(ready, self._user, self._folder, check=False) == 0:
                return True
            time.sleep(0.05)
        return False


@contextmanager
def postgres_process() -> Iterator[PostgresServer]:
    """Run a server on a socket of its own."""
    folder = Path(tempfile.mkdtemp(prefix="oapg-"))
    try:
        server = PostgresServer(folder)
        try:
            server.start()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def postgres_server() -> Iterator[str]:
    """Run a server and yield the address of its first database."""
    with postgres_process() as server:
        yield server.url


def _binaries(package: Path, folder: Path, *, is_root: bool) -> Path:
    """Return where the programs are; as root, of a copy that `nobody` may read."""
    installed = package / "pginstall"
    if not (installed / "bin" / "postgres").is_file():
        pytest.skip("no PostgreSQL here: the wheel pgserver has no binaries for this platform")
    if not is_root:
        return installed / "bin"
    folder.chmod(0o755)
    # The programs look for their libraries beside the package.
    shutil.copytree(installed, folder / "pgserver" / "pginstall", symlinks=True)
    libraries = package.with_name("pgserver.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, folder / "pgserver.libs", symlinks=True)
    return folder / "pgserver" / "pginstall" / "bin"


def _run(command: list[object], user: str | None, folder: Path, *, check: bool = True) -> int:
    done = subprocess.run(
        [str(part) for part in command], user=user, cwd=folder, env=_environment(),
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    if check and done.returncode != 0:
        pytest.skip(f"no PostgreSQL here: {(done.stderr or done.stdout).strip()[-300:]}")
    return done.returncode


def _environment() -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "LC_ALL": "C", "TZ": "UTC"}
