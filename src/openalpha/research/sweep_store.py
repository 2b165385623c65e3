"""A sweep on disk: what it is, and each batch it finished, whole or not at all.

sweeps/<id>/sweep.json        what is swept and how: the id is its hash
sweeps/<id>/batch-000001.npz  configurations, outcomes and daily returns of one batch
"""

import hashlib
import io
import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openalpha.core.errors import StorageError
from openalpha.research.sweep_space import Config
from openalpha.store.atomic import storage_errors, write_bytes

__all__ = ["Batch", "SweepStore", "sweep_id"]


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """What came of one batch.

    Parameters
    ----------
    configs : list of dict
        In the order they were asked for.
    status : int8[n]
        As `sweep_result.Status`.
    figures : float64[n, 68]
        As `engine.batch.FIGURES`.
    daily : float32[n, k]
        Daily net returns; 0 after `lengths`.
    lengths : int64[n]
        Days that were run.
    rows : int64[n]
        Rows of the trial ledger, -1 where nothing was evaluated.
    early : float64[n]
        First objective after the first part, where hopeless trials are given up; else NaN.
    faults : dict of row to sentence
    """

    configs: list[Config]
    status: NDArray[np.int8]
    figures: NDArray[np.float64]
    daily: NDArray[np.float32]
    lengths: NDArray[np.int64]
    rows: NDArray[np.int64]
    early: NDArray[np.float64]
    faults: dict[int, str]


def sweep_id(record: Mapping[str, Any]) -> str:
    """Return the name of a sweep: the same for the same question, asked of the same data."""
    encoded = json.dumps(record, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(encoded.encode()).hexdigest()[:16]


class SweepStore:
    """The folder of one sweep.

    Parameters
    ----------
    home : Path
    record : mapping
        What is swept and how, as JSON can hold it.
    """

    def __init__(self, home: Path, record: Mapping[str, Any]) -> None:
        self.id = sweep_id(record)
        self.folder = Path(home) / "sweeps" / self.id
        self._record = record
        self._next = 1

    def begin(self) -> None:
        """Start anew; what an earlier sweep of the same question kept goes.

        Raises
        ------
        StorageError
            If the disk refuses.
        """
        with storage_errors(str(self.folder)):
            if self.folder.exists():
                shutil.rmtree(self.folder)
            self.folder.mkdir(parents=True)
        text = json.dumps(self._record, indent=1, sort_keys=True, default=str)
        write_bytes(self.folder / "sweep.json", text.encode())
        self._next = 1

    def batches(self) -> Iterator[Batch]:
        """Yield the batches kept so far, in order; a batch written after them follows them."""
        self._next = 1
        while (path := self._path(self._next)).exists():
            self._next += 1
            yield _read(path)

    def keep(self, batch: Batch) -> None:
        """Write one more batch.

        Raises
        ------
        StorageError
            If the disk refuses; the batches before it are there.
        """
        words = json.dumps({"configs": batch.configs, "faults": batch.faults}).encode()
        held = io.BytesIO()
        np.savez(
            held, status=batch.status, figures=batch.figures, daily=batch.daily,
            lengths=batch.lengths, rows=batch.rows, early=batch.early,
            words=np.frombuffer(words, dtype=np.uint8),
        )  # fmt: skip
        write_bytes(self._path(self._next), held.getvalue())
        self._next += 1

    @property
    def has_batches(self) -> bool:
        """Whether anything was kept."""
        return self._path(1).exists()

    def _path(self, number: int) -> Path:
        return self.folder / f"batch-{number:06d}.npz"


def _read(path: Path) -> Batch:
    try:
        with np.load(path) as held:
            words = json.loads(held["words"].tobytes())
            return Batch(
                words["configs"], held["status"], held["figures"], held["daily"], held["lengths"],
                held["rows"], held["early"],
                {int(row): text for row, text in words["faults"].items()},
            )  # fmt: skip
    except (OSError, ValueError, KeyError) as error:
        raise StorageError(
            f"{path} cannot be read ({error}); run the sweep again without --resume"
        ) from None
