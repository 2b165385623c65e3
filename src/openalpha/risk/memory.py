"""What risk remembers of an environment from run to run: highest equity, stage, counts of the day.

A run's own log carries them within the run; this file carries them to the next one. A person's
release lies beside it until the trader takes it up, so that it passes through the trader's journal.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openalpha.core.errors import StorageError
from openalpha.risk.view import Stage
from openalpha.store.atomic import storage_errors, write_bytes

__all__ = ["Release", "RiskMemory"]


@dataclass(frozen=True, slots=True)
class Release:
    """A person's order to end what only a person may end; see `Ladder.release`."""

    ts_ms: int
    who: str
    words: str
    reset_high_water: bool


class RiskMemory:
    """The memory of one environment of a home.

    Parameters
    ----------
    home : Path
    environment : str
        As `live`.
    """

    def __init__(self, home: Path, environment: str) -> None:
        folder = home / "safety" / environment
        self._path = folder / "risk.json"
        self._release = folder / "release.json"
        self._peak_reset = folder / "peak_reset"

    def load(self) -> dict[str, Any] | None:
        """Return what was kept last; None if nothing ever was.

        Raises
        ------
        StorageError
            If it cannot be read: without it a drawdown would be forgotten, so nothing may trade.
        """
        return _read(self._path)

    def save(self, state: Mapping[str, Any]) -> None:
        """Keep a state, as `{"ladder": ladder.state(), "gate": gate.state()}`.

        Raises
        ------
        StorageError
            If the disk refuses; the old one stands.
        """
        write_bytes(self._path, json.dumps(state, sort_keys=True).encode())

    def is_held(self) -> bool:
        """Say whether the kept stage waits for a person.

        Raises
        ------
        StorageError
            If it cannot be read.
        """
        ladder = (self.load() or {}).get("ladder", {})
        return any(row["stage"] >= Stage.HALTED for row in ladder.get("trips", []))

    def ask_release(self, *, ts_ms: int, who: str, words: str, reset: bool) -> None:
        """Leave a release for the trader's next look, and a reset for the guardian's too.

        Raises
        ------
        StorageError
            If the disk refuses.
        """
        row = {"ts_ms": ts_ms, "who": who, "words": words, "reset_high_water": reset}
        write_bytes(self._release, json.dumps(row).encode())
        if reset:
            write_bytes(self._peak_reset, b"")

    def take_peak_reset(self) -> bool:
        """Say, once, whether a person ordered the guardian to forget the highest equity."""
        try:
            self._peak_reset.unlink()
        except OSError:
            return False
        return True

    def take_release(self) -> Release | None:
        """Return the release that waits, once; None if none does.

        Raises
        ------
        StorageError
            If it cannot be read or taken away.
        """
        row = _read(self._release)
        if row is None:
            return None
        with storage_errors(str(self._release)):
            self._release.unlink()
        reset = bool(row["reset_high_water"])
        return Release(int(row["ts_ms"]), str(row["who"]), str(row["words"]), reset)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        return dict(json.loads(path.read_bytes()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise StorageError(
            f"{path} cannot be read ({error}); restore it from a backup by `openalpha backup "
            "restore`, nothing trades without it"
        ) from None
