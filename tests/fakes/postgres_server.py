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


@contextmanager
def postgres_server() -> Iterator[str]:
    """Run a server on a socket of its own and yield the address of its first database."""
    spec = importlib.util.find_spec("pgserver")
    if spec is None or spec.origin is None:
        pytest.skip("no PostgreSQL here: the wheel pgserver is not installed")
    folder = Path(tempfile.mkdtemp(prefix="oapg-"))
    user = "nobody" if os.geteuid() == 0 else None
    try:
        binaries = _binaries(Path(spec.origin).parent, folder, is_root=user is not None)
        data, socket = folder / "data", folder / "socket"
        for made in (data, socket):
            made.mkdir(mode=0o700)
            if user:
                shutil.chown(made, user)
        _run([binaries / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-sync",
              "-E", "UTF8", "--locale=C"], user, folder)  # fmt: skip
        options = [f"-c {option}" for option in (*_OPTIONS, f"unix_socket_directories={socket}")]
        server = subprocess.Popen(
            [str(binaries / "postgres"), "-D", str(data), *" ".join(options).split()],
            user=user, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env=_environment(),
        )  # fmt: skip
        try:
            ready = [binaries / "pg_isready", "-h", socket, "-t", "30"]
            for _ in range(200):
                if server.poll() is not None:
                    pytest.skip("no PostgreSQL here: the server does not start")
                if _run(ready, user, folder, check=False) == 0:
                    break
                time.sleep(0.05)
            yield f"postgresql://postgres@/postgres?host={socket}"
        finally:
            server.send_signal(signal.SIGINT)  # at once, whoever is still connected
            server.wait(timeout=60)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


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
