"""Run folders: `runs/<environment>/<run_id>/` with record.json, documents and Parquet tables.

A folder appears whole or not at all. Nothing in it is ever changed afterwards.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openalpha.core.errors import StorageError, UnknownName
from openalpha.core.messages import Environment
from openalpha.store.atomic import new_folder

if TYPE_CHECKING:
    import polars as pl

__all__ = ["RECORD_VERSION", "RunStore", "StoredRun", "new_run_id"]

RECORD_VERSION = 1
"""Version of record.json's layout."""

_LATEST = re.compile(r"^latest(?:-(\d{1,4}))?$")
_ID = re.compile(r"^\d{8}T\d{9}Z-[0-9a-f]{8}$")


def new_run_id(ts_ms: int, *content: str) -> str:
    """Return a run id: when it was made (sorts by time) and a short hash of what it is.

    Parameters
    ----------
    ts_ms : int
        Now, UTC ms, from the run's clock.
    *content : str
        Whatever tells this run from another of the same millisecond.

    Examples
    --------
    >>> new_run_id(1704067200123, "ma_cross", "fast=10")
    '20240101T000000123Z-d8edaea6'
    """
    moment = datetime.fromtimestamp(ts_ms // 1000, UTC)
    digest = hashlib.sha256("\0".join(content).encode()).hexdigest()[:8]
    return f"{moment:%Y%m%dT%H%M%S}{ts_ms % 1000:03d}Z-{digest}"


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run folder, opened for reading."""

    path: Path
    environment: Environment

    @property
    def id(self) -> str:
        """The run's id: the folder's name."""
        return self.path.name

    @property
    def record(self) -> dict[str, Any]:
        """The run's record: what it was made from."""
        return self.document("record")

    def document(self, name: str) -> dict[str, Any]:
        """Return a JSON document of the run.

        Raises
        ------
        UnknownName
            If the run has no document of that name.
        StorageError
            If it cannot be read.
        """
        file = self._file(name, ".json")
        try:
            loaded: dict[str, Any] = json.loads(file.read_bytes())
        except ValueError as error:
            raise StorageError(f"{file} is damaged: {error}") from None
        return loaded

    def frame(self, name: str) -> "pl.DataFrame":
        """Return a table of the run (fills, equity, orders, journal, round_trips …).

        Raises
        ------
        UnknownName
            If the run has no table of that name.
        """
        import polars as pl

        return pl.read_parquet(self._file(name, ".parquet"))

    def names(self) -> tuple[str, ...]:
        """Return the file names of the run, sorted."""
        return tuple(sorted(file.name for file in self.path.iterdir()))

    def _file(self, name: str, suffix: str) -> Path:
        file = self.path / f"{name}{suffix}"
        if not file.is_file():
            there = ", ".join(item.stem for item in sorted(self.path.glob(f"*{suffix}")))
            raise UnknownName(f"run {self.id} has no {name}{suffix}; it has {there}")
        return file


@dataclass(frozen=True, slots=True)
class RunStore:
    """All run folders of one home."""

    home: Path

    @property
    def root(self) -> Path:
        """The folder that holds them."""
        return self.home / "runs"

    def write(
        self,
        environment: Environment,
        run_id: str,
        *,
        record: Mapping[str, Any],
        documents: Mapping[str, Any] | None = None,
        frames: Mapping[str, "pl.DataFrame"] | None = None,
    ) -> StoredRun:
        """Write a run folder whole, and have it on disk before returning.

        Parameters
        ----------
        environment : Environment
        run_id : str
            From `new_run_id`.
        record : mapping
            What the run was made from; becomes record.json with `record_version` in front.
        documents : mapping of name to anything JSON can hold, optional
        frames : mapping of name to polars.DataFrame, optional

        Raises
        ------
        StorageError
            If a run of that id exists or the disk refuses; then nothing of it is there.
        """
        assert _ID.match(run_id), f"run id {run_id} is not one of new_run_id"
        path = self.root / environment.name.lower() / run_id
        with new_folder(path) as stage:
            whole = {"record_version": RECORD_VERSION, "run_id": run_id, **record}
            _write_json(stage / "record.json", whole, indent=1)
            for name, content in (documents or {}).items():
                # Not indented: long documents take ten times as long with it.
                _write_json(stage / f"{name}.json", content)
            for name, frame in (frames or {}).items():
                frame.write_parquet(stage / f"{name}.parquet", compression="zstd")
        return StoredRun(path, environment)

    def open_run(self, run_id: str) -> StoredRun:
        """Open a run by its id, or by the beginning of it if that names one run only.

        `latest` is the newest backtest, `latest-1` the one before it.

        Raises
        ------
        UnknownName
            If none or several match.
        """
        if match := _LATEST.match(run_id):
            return self._newest(int(match[1] or 0))
        found = [run for run in self.runs() if run.id == run_id]
        found = found or [run for run in self.runs() if run_id and run.id.startswith(run_id)]
        if len(found) == 1:
            return found[0]
        if found:
            raise UnknownName(f"'{run_id}' begins the id of {len(found)} runs; write more of it")
        raise UnknownName(f"there is no run '{run_id}' in {self.root}; `openalpha runs` lists them")

    def _newest(self, back: int) -> StoredRun:
        found = list(self.runs(Environment.BACKTEST))
        if back < len(found):
            return found[-1 - back]
        raise UnknownName(f"there are {len(found)} backtests in {self.root}; run one more first")

    def runs(self, environment: Environment | None = None) -> Iterator[StoredRun]:
        """Yield all runs, oldest first within each environment."""
        for kind in Environment if environment is None else (environment,):
            folder = self.root / kind.name.lower()
            if folder.is_dir():
                for path in sorted(folder.iterdir()):
                    if _ID.match(path.name):
                        yield StoredRun(path, kind)


def _write_json(path: Path, content: Any, *, indent: int | None = None) -> None:
    path.write_text(
        json.dumps(content, indent=indent, ensure_ascii=False, allow_nan=False) + "\n", "utf-8"
    )
