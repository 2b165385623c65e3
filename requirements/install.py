"""Fill the virtual environment this runs in from a lock file, showing one progress line.

Usage: python requirements/install.py run|dev. A stamp keyed by the lock's hash makes the
second call free. Standard library only: it runs before anything is installed.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tomllib
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parent
STAMP = Path(sys.prefix) / ".installed.json"
# Everything in a narrower lock is in the wider one, at the same version.
CONTAINS = {"run": ["run"], "dev": ["run", "dev"]}


def lock_hash(name: str) -> str:
    """Return what the environment depends on: the lock and the package's own entry points."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    digest = hashlib.sha256((FOLDER / f"{name}.lock").read_bytes())
    digest.update(repr(project).encode())
    return digest.hexdigest()


def read_stamp() -> dict[str, str]:
    """Return lock name -> hash of what is installed; empty when nothing is."""
    try:
        return dict(json.loads(STAMP.read_text("utf-8")))
    except (OSError, ValueError):
        return {}


def run_pip(arguments: list[str], what: str, *, steps: int) -> None:
    """Run pip with a progress line; on failure show the end of what it said and stop."""
    command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", *arguments]
    is_terminal = sys.stdout.isatty()
    said: list[str] = []
    done = 0
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line.rstrip())
            if line.startswith("Collecting "):
                done += 1
                name = line.split()[1].split("==")[0]
                if is_terminal:
                    print(f"\r\033[K{what}: {done}/{steps} {name}", end="", flush=True)
            elif line.startswith("Installing collected") and is_terminal:
                print(f"\r\033[K{what}: unpacking", end="", flush=True)
    if is_terminal:
        print("\r\033[K", end="", flush=True)
    if process.returncode != 0:
        print("\n".join(said[-15:]), file=sys.stderr)
        sys.exit(
            f"{what} failed (pip's last words are above). Check the network and the disk, "
            "then run the same command again: it goes on where it stopped."
        )


def main(name: str) -> None:
    """Install the lock called `name` and this package, unless the stamp says it is done."""
    wanted = {key: lock_hash(key) for key in CONTAINS[name]}
    stamp = read_stamp()
    if all(stamp.get(key) == value for key, value in wanted.items()):
        return
    lock = FOLDER / f"{name}.lock"
    steps = lock.read_text("utf-8").count("==")
    print(
        f"Installing up to {steps} pinned packages into .venv (once, about two minutes)", flush=True
    )
    STAMP.unlink(missing_ok=True)
    # Wheels only: nothing may need a compiler on the user's machine.
    locked = ["--require-hashes", "--only-binary", ":all:", "--no-deps", "-r", str(lock)]
    run_pip(locked, "Installing packages", steps=steps)
    run_pip(["--no-build-isolation", "--no-deps", "-e", str(ROOT)], "Installing openalpha", steps=1)
    partial = STAMP.with_suffix(".tmp")
    partial.write_text(json.dumps(wanted), "utf-8")
    partial.replace(STAMP)


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in CONTAINS:
        sys.exit("usage: python requirements/install.py run|dev")
    main(sys.argv[1])
