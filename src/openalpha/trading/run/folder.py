"""What a run keeps on disk beside its log: its record, where it stands, and its tables."""

import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openalpha.core.clock import format_ms
from openalpha.core.errors import InputError, StorageError
from openalpha.core.messages import Environment
from openalpha.store.audit import AuditTrail
from openalpha.store.run_log import canonical_json
from openalpha.store.runs import RunStore, StoredRun, new_run_id
from openalpha.trading.run.commands import Command
from openalpha.trading.run.plan import RunPlan, circumstances

__all__ = ["RunFolder", "begin_run", "open_live_run", "run_folders", "starting_runs"]


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The folder of a run that is, or was, led live: `runs/<environment>/<run id>/`."""

    path: Path
    environment: Environment

    @property
    def id(self) -> str:
        """The run's id."""
        return self.path.name

    @property
    def log(self) -> Path:
        """Where its log is."""
        return self.path / "log"

    @property
    def port(self) -> Path:
        """Where its command port listens while it runs."""
        return self.path / "port"

    def record(self) -> dict[str, Any]:
        """Return what the run was made from."""
        return StoredRun(self.path, self.environment).record

    def plan(self) -> RunPlan:
        """Return what the run is to do.

        Raises
        ------
        InputError
            If the run was not led live.
        """
        record = self.record()
        if "plan" not in record:
            raise InputError(f"run {self.id} is a backtest: it has no tape")
        return RunPlan.from_json(record["plan"])

    def feed(self) -> dict[str, Any]:
        """Return where its market comes from."""
        return dict(self.record()["feed"])

    def note_act(self, name: str, **details: Any) -> None:
        """Add what a person did with the run to the audit trail of its home."""
        trail = AuditTrail(self.path.parents[2])
        trail.note(name, environment=self.environment.name.lower(), run=self.id, **details)

    def note_command(self, command: Command, answer: Mapping[str, Any]) -> None:
        """Add a command that the run was given, and whether it took it."""
        said = {"reason": command.reason, "flatten": command.is_flatten, "wish": command.wish}
        refused = "" if answer.get("ok") else str(answer.get("words", ""))
        details = {name: value for name, value in (said | {"refused": refused}).items() if value}
        self.note_act(f"run.{command.verb.lower()}", **details)

    def keep_status(self, status: Mapping[str, Any]) -> None:
        """Replace what is said of where the run stands; readers find the old or the new.

        Not synced: it can be told again from the log.
        """
        file = self.path / "status.json"
        part = file.with_name(f".status.{os.getpid()}")
        try:
            part.write_bytes(canonical_json(status))
            part.replace(file)
        except OSError as error:
            raise StorageError(f"{file} could not be written: {error.strerror}") from None

    def status(self) -> dict[str, Any]:
        """Return where the run stood when it last said so; empty before that."""
        try:
            found: dict[str, Any] = json.loads((self.path / "status.json").read_bytes())
        except (FileNotFoundError, ValueError):
            return {}
        return found

    def is_led(self) -> bool:
        """Say whether a process leads the run now."""
        return _is_locked(self.log / "LOCK", os.O_RDWR)

    def is_starting(self) -> bool:
        """Say whether a process is about to lead the run: it checks and compiles."""
        return _is_locked(self.path, os.O_RDONLY) and not self.is_led()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the run while a process leads it or is about to.

        A run that is left by an error before its log began leaves nothing: it never was.
        """
        import fcntl

        handle, is_mine = os.open(self.path, os.O_RDONLY), True
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            is_mine = False  # whoever leads it already is named where that is refused
        try:
            yield
        except BaseException:
            if is_mine and not self.log.exists():
                shutil.rmtree(self.path)
            raise
        finally:
            os.close(handle)


def begin_run(home: Path, plan: RunPlan, *, feed: Mapping[str, Any], created_ms: int) -> RunFolder:
    """Make the folder of a new run, its record in it, on disk before returning.

    Raises
    ------
    StorageError
        If the disk refuses; then nothing of it is there.
    """
    content = plan.to_json()
    # Ids of orders are made of the run's: on a clock that began anew, two runs are still two.
    nonce = secrets.token_hex(8)
    run_id = new_run_id(
        created_ms, json.dumps(content, sort_keys=True), json.dumps(dict(feed)), nonce
    )
    record = {
        "environment": plan.environment.name.lower(),
        "created": format_ms(created_ms),
        "versions": circumstances(),
        "strategy": ", ".join(part.name for part in plan.strategies),
        "instruments": [str(item.id) for item in plan.instruments],
        "capital": str(plan.capital),
        "feed": dict(feed),
        "plan": content,
    }
    made = RunStore(home).write(plan.environment, run_id, record=record)
    return RunFolder(made.path, plan.environment)


def open_live_run(home: Path, run_id: str) -> RunFolder:
    """Open a run by its id or the beginning of it.

    Raises
    ------
    UnknownName
        If none or several match.
    """
    found = RunStore(home).open_run(run_id)
    return RunFolder(found.path, found.environment)


def run_folders(home: Path, environment: Environment | None = None) -> Iterator[RunFolder]:
    """Yield the runs that were led live, oldest first within each environment."""
    for run in RunStore(home).runs(environment):
        if run.environment is not Environment.BACKTEST and (run.path / "log").is_dir():
            yield RunFolder(run.path, run.environment)


def starting_runs(home: Path, environment: Environment | None = None) -> Iterator[RunFolder]:
    """Yield the runs that a process is about to lead and that have no log yet."""
    for run in RunStore(home).runs(environment):
        folder = RunFolder(run.path, run.environment)
        is_live = run.environment is not Environment.BACKTEST
        if is_live and not folder.log.is_dir() and folder.is_starting():
            yield folder


def _is_locked(path: Path, flags: int) -> bool:
    """Say whether a process holds a file or folder."""
    import fcntl

    try:
        handle = os.open(path, flags)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False
