"""Puts an environment back to its beginning: closes first, then archives or erases its runs.

The books stay whatever is done: they are append-only, and every run has an account of its own in
them. What was traded with real money is archived, never erased.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from openalpha.core.clock import Clock, format_ms
from openalpha.core.errors import InputError, VenueUnavailable
from openalpha.core.messages import Environment
from openalpha.store.audit import AuditTrail
from openalpha.trading.run.commands import Command, send_command
from openalpha.trading.run.folder import RunFolder, run_folders
from openalpha.trading.safety.emergency_lock import locked

__all__ = ["Wiped", "wipe"]

_SIMULATED = (Environment.PAPER, Environment.TWIN, Environment.DEMO, Environment.TESTNET)
_WAIT_S, _STEP_S = 120.0, 0.2


@dataclass(frozen=True, slots=True)
class Wiped:
    """What was done: runs stopped, runs put away, and where they lie; empty: they were erased."""

    stopped: tuple[str, ...]
    runs: int
    archive: str


def wipe(
    home: Path,
    environment: Environment,
    *,
    erase: bool,
    clock: Clock,
    sleep: Callable[[float], None],
) -> Wiped:
    """Stop and flatten what runs, then put the environment's runs away.

    Parameters
    ----------
    erase : bool
        Delete them; simulated environments only. Else they are moved to `archive` in the home.
    sleep : callable
        Waits so many seconds, while runs close.

    Raises
    ------
    InputError
        If the environment trades real money and is to be erased, is locked, or a run that nobody
        leads may hold something.
    VenueUnavailable
        If a run does not close in time; nothing was put away.
    """
    name = environment.name.lower()
    if environment is Environment.BACKTEST:
        raise InputError("backtests hold nothing, and every one counts as a trial: they stay")
    if erase and environment not in _SIMULATED:
        raise InputError("what was traded with real money is kept for tax: archive it, no --erase")
    lock = locked(home, name)
    if lock is not None:
        raise InputError(f"{name} is locked ({lock.words}); settle that first: `openalpha unlock`")
    folders = list(run_folders(home, environment))
    for folder in folders:
        _refuse_left(folder)
    stopped = [folder for folder in folders if folder.is_led()]
    for folder in stopped:
        send_command(folder.port, Command("STOP", "wiped", is_flatten=True))
    _await_end(stopped, sleep)
    for folder in stopped:
        _refuse_left(folder)
    root = home / "runs" / name
    if not root.is_dir():
        return Wiped((), 0, "")
    where = ""
    if erase:
        shutil.rmtree(root)
    else:
        stamp = format_ms(clock.now_ms()).replace(":", "").replace(".", "")
        target = home / "archive" / f"{name}-{stamp}"
        target.parent.mkdir(parents=True, exist_ok=True)
        root.rename(target)
        where = str(target)
    done = Wiped(tuple(folder.id for folder in stopped), len(folders), where)
    AuditTrail(home).note("wipe", environment=name, runs=done.runs, archive=where)
    return done


def _refuse_left(folder: RunFolder) -> None:
    """Refuse where a run that nobody leads may still hold something at a venue."""
    status = folder.status()
    if folder.is_led() or folder.environment is Environment.PAPER:
        return
    held = [row for book in status.get("books", ()) for row in book["positions"]]
    if held:
        names = ", ".join(f"{row['qty']} {row['instrument']}" for row in held)
        raise InputError(
            f"run {folder.id} was left holding {names}: `openalpha run --resume {folder.id}` and "
            "`openalpha runs stop --flatten`, or `openalpha stop --emergency`, first"
        )


def _await_end(folders: list[RunFolder], sleep: Callable[[float], None]) -> None:
    waited = 0.0
    while any(folder.is_led() for folder in folders):
        if waited >= _WAIT_S:
            raise VenueUnavailable(
                "a run does not close: look at `openalpha status`, and wipe again once it has"
            )
        sleep(_STEP_S)
        waited += _STEP_S
