"""The peers' own environments, made once in `.bench-venv` from pinned versions."""

import subprocess
import sys
from pathlib import Path

from benchmarks.worker import ROOT, Broken

__all__ = ["environment"]

FOLDER = ROOT / ".bench-venv"
PINS = ROOT / "benchmarks" / "peers"


def environment(name: str) -> Path:
    """Return the interpreter of an environment (`arrays` or `events`), made where it is missing.

    Raises
    ------
    Broken
        If its packages do not install here; the words say which step failed.
    """
    folder, pins = FOLDER / name, PINS / f"{name}.txt"
    python, stamp = folder / "bin" / "python", folder / "installed.txt"
    wanted = pins.read_text("utf-8")
    if python.exists() and stamp.exists() and stamp.read_text("utf-8") == wanted:
        return python
    print(f"Installing the peers of {pins.name} into .bench-venv/{name} (once)", flush=True)
    _step([sys.executable, "-m", "venv", "--clear", str(folder)], f"making .bench-venv/{name}")
    _step(
        [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", str(pins)],
        f"installing {pins.name}",
    )
    stamp.write_text(wanted, "utf-8")
    return python


def _step(command: list[str], what: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    except subprocess.TimeoutExpired:
        raise Broken(f"{what} took more than 15 minutes") from None
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        raise Broken(f"{what} failed: {said[-1][:200] if said else 'without a word'}")
