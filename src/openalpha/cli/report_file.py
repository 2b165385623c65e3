"""Writes the report of a failure that is our fault: tracebacks go to a file, not the screen."""

import os
import platform
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path

from openalpha.core.clock import Clock, SystemClock, format_ms
from openalpha.settings.home import HomeStatus, default_home, read_home

__all__ = ["write_report"]


def write_report(error: Exception, arguments: Sequence[str], *, clock: Clock | None = None) -> Path:
    """Write what is needed to find the fault and return where it stands.

    Values of `--set` are left out: one of them may be a secret.

    Parameters
    ----------
    error : Exception
        What went wrong, with its traceback.
    arguments : sequence of str
        The command line after `openalpha`.
    clock : Clock or None
        Where "now" comes from; the machine's clock when None.

    Raises
    ------
    OSError
        If neither the home nor the temporary folder can be written.
    """
    now_ms = (clock or SystemClock()).now_ms()
    name = f"{format_ms(now_ms).replace(':', '').replace('.', '_')}-{os.getpid()}.txt"
    text = _text(error, arguments, now_ms)
    for folder in (_errors_folder(), Path(tempfile.gettempdir()) / "openalpha-errors"):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / name
            path.write_text(text, "utf-8")
        except OSError as failure:
            last = failure
        else:
            return path
    raise last


def _errors_folder() -> Path:
    """Return the errors folder of the home, or a temporary one while there is no usable home."""
    home = Path(os.environ["OPENALPHA_HOME"]) if os.environ.get("OPENALPHA_HOME") else None
    home = home or default_home()
    try:
        usable = read_home(home).status is HomeStatus.CURRENT
    except Exception:  # noqa: BLE001 - a report must come out whatever state the home is in
        usable = False
    return home / "errors" if usable else Path(tempfile.gettempdir()) / "openalpha-errors"


def _text(error: Exception, arguments: Sequence[str], now_ms: int) -> str:
    from importlib.metadata import version

    lines = [
        f"time      {format_ms(now_ms)}",
        f"openalpha {version('openalpha')}",
        f"python    {sys.version.split()[0]} on {platform.platform()}",
        f"command   openalpha {' '.join(_without_values(arguments))}",
        "",
        "".join(traceback.format_exception(error)),
    ]
    return "\n".join(lines)


def _without_values(arguments: Sequence[str]) -> list[str]:
    shown = []
    is_value = False
    for argument in arguments:
        if is_value or argument.startswith("--set="):
            shown.append(argument.partition("=")[0] + "=…")
        else:
            shown.append(argument)
        is_value = argument == "--set"
    return shown
