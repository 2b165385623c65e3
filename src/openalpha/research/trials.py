"""The trial ledger: every configuration ever evaluated on history, with its daily net returns.

A trial belongs to a family: the strategy's name and every name it was declared or found to descend
from, at least one common instrument, and an overlapping period. Declaring can only merge families.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openalpha.core.clock import DAY_MS, Clock, SystemClock
from openalpha.store.chain import ChainedRows, ChainFault, Row

__all__ = ["Family", "Trial", "TrialLedger", "content_key"]

_TRIAL, _MERGE = 0, 1
_KIN_CORRELATION = 0.9
_KIN_DAYS = 30
_COLUMNS = [
    ("ts_ms", "<i8"), ("kind", "<i4"), ("is_counted", "<i4"), ("strategy", "<u8"),
    ("instruments", "<u8"), ("params", "<u8"), ("config", "<u8"), ("source", "<u8"),
    ("parent", "<i8"), ("first_day", "<i4"), ("last_day", "<i4"), ("sharpe", "<f4"),
    ("total_return", "<f4"),
]  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """One configuration evaluated on history.

    Parameters
    ----------
    strategy : str
        Its name; copies and renames are declared in `ancestors`.
    instruments : tuple of str
    params : mapping
        Strategy parameters, as JSON can hold them.
    source_hash, data_fingerprint, settings_hash : str
        Which code, which bars, which costs and sizing.
    first_day : int
        Days since 1970-01-01 of the first return.
    daily_returns : float[k]
        Net simple returns of each UTC day; kept as float32.
    metrics : mapping of str to float
        A few figures to list it by; NaN are left out.
    timeframe_ms : int
    ancestors : tuple of str
        Names of strategies it was made from.
    family : str
        A name given to the family; it merges, never splits.
    is_counted : bool
        False for a perturbation of a trial (Monte Carlo, stress, bounds), stored under `parent`.
    parent : int
        Row of the trial it is a perturbation of, -1 for none.
    """

    strategy: str
    instruments: tuple[str, ...]
    params: Mapping[str, Any]
    source_hash: str
    data_fingerprint: str
    settings_hash: str
    first_day: int
    daily_returns: NDArray[np.floating[Any]]
    metrics: Mapping[str, float] = field(default_factory=dict)
    timeframe_ms: int = 0
    ancestors: tuple[str, ...] = ()
    family: str = ""
    is_counted: bool = True
    parent: int = -1

    def config_key(self) -> int:
        """Return the key that tells one configuration from another; a rerun has the same."""
        return content_key(
            self.strategy, sorted(self.instruments), self.params, self.source_hash,
            self.data_fingerprint, self.settings_hash,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Family:
    """Trials that count together.

    Parameters
    ----------
    names : tuple of str
        Strategy and family names in it, sorted.
    detected : tuple of str
        Those of them nobody declared: same parameters and daily returns that correlate above 0.9.
    rows : tuple of int
        Rows of its trials, oldest first.
    configurations : int
        Distinct configurations among the counted rows.
    """

    names: tuple[str, ...]
    detected: tuple[str, ...]
    rows: tuple[int, ...]
    configurations: int


class TrialLedger:
    """The ledger of one home (`<home>/trials`).

    Parameters
    ----------
    home : Path
    clock : Clock
        Stamps the rows.
    """

    def __init__(self, home: Path, *, clock: Clock | None = None) -> None:
        self._rows = ChainedRows(Path(home) / "trials", _COLUMNS)
        self._clock = clock or SystemClock()
        self._merges: set[tuple[str, ...]] | None = None

    def append(self, trial: Trial) -> int:
        """Add a trial and return its row, counted from 0.

        Raises
        ------
        StorageError
            If the disk refuses; nothing was added.
        """
        names = tuple(sorted({trial.strategy, *trial.ancestors, trial.family} - {""}))
        if len(names) > 1:
            self.merge(*names)
        days = len(trial.daily_returns)
        metrics = {
            name: float(value) for name, value in trial.metrics.items() if np.isfinite(value)
        }
        columns = {
            "ts_ms": self._clock.now_ms(),
            "kind": _TRIAL,
            "is_counted": trial.is_counted,
            "strategy": content_key(trial.strategy),
            "instruments": content_key(sorted(trial.instruments)),
            "params": content_key(trial.params),
            "config": trial.config_key(),
            "source": content_key(trial.source_hash),
            "parent": trial.parent,
            "first_day": trial.first_day,
            "last_day": trial.first_day + days - 1,
            "sharpe": metrics.get("sharpe", np.nan),
            "total_return": metrics.get("total_return", np.nan),
        }
        text = {
            "strategy": trial.strategy,
            "instruments": sorted(trial.instruments),
            "params": dict(trial.params),
            "source_hash": trial.source_hash,
            "data_fingerprint": trial.data_fingerprint,
            "settings_hash": trial.settings_hash,
            "timeframe_ms": trial.timeframe_ms,
            "metrics": metrics,
        }
        values = np.asarray(trial.daily_returns, np.float32)
        return self._rows.append(columns, text, values=values).seq

    def merge(self, *names: str) -> None:
        """Declare that strategies of these names are one family. It cannot be taken back."""
        wanted = tuple(sorted(set(names)))
        if self._merges is None:
            self._merges = set(self._declared())
        if len(wanted) > 1 and wanted not in self._merges:
            columns = {"ts_ms": self._clock.now_ms(), "kind": _MERGE, "parent": -1}
            self._rows.append(columns, {"merge": list(wanted)}, values=np.empty(0, np.float32))
            self._merges.add(wanted)

    def family(
        self, strategy: str, instruments: Iterable[str], *, start_ms: int, end_ms: int
    ) -> Family:
        """Return the family of a strategy on these instruments over a period.

        Parameters
        ----------
        strategy : str
        instruments : iterable of str
            Trials that share at least one count.
        start_ms, end_ms : int
            Trials whose days overlap [start, end) count.
        """
        table = self._rows.table()
        is_near = self._overlapping(table, set(instruments), start_ms, end_ms)
        names = self._connected({strategy})
        detected: set[str] = set()
        while found := self._kin(table, is_near, names):
            detected |= found
            names = self._connected(names | found)
        wanted = np.array([content_key(name) for name in sorted(names)], dtype=np.uint64)
        mine = is_near & np.isin(table["strategy"], wanted)
        counted = mine & (table["is_counted"] != 0)
        return Family(
            names=tuple(sorted(names)),
            detected=tuple(sorted(detected)),
            rows=tuple(np.flatnonzero(mine).tolist()),
            configurations=len(np.unique(table["config"][counted])),
        )

    def count(
        self, strategy: str, instruments: Iterable[str], *, start_ms: int, end_ms: int
    ) -> int:
        """Return how many distinct configurations the family has tried."""
        return self.family(strategy, instruments, start_ms=start_ms, end_ms=end_ms).configurations

    def row(self, seq: int) -> Row:
        """Return one row: its columns, text, daily returns and hash."""
        return self._rows.read(seq)

    def __len__(self) -> int:
        return len(self._rows.table())

    def verify(self) -> ChainFault | None:
        """Read the whole ledger and return the first row that does not fit, None when all do."""
        return self._rows.verify()

    def close(self) -> None:
        """Sync to the disk and let go of the files."""
        self._rows.close()

    def _overlapping(
        self, table: NDArray[Any], instruments: set[str], start_ms: int, end_ms: int
    ) -> NDArray[np.bool_]:
        last = (end_ms - 1) // DAY_MS
        near = (table["kind"] == _TRIAL) & (table["first_day"] <= last)
        near &= table["last_day"] >= start_ms // DAY_MS
        # There are few distinct sets of instruments: one row of each tells its names.
        keys, first = np.unique(table["instruments"][near], return_index=True)
        rows = np.flatnonzero(near)
        sharing = [
            key
            for key, at in zip(keys, first, strict=True)
            if instruments & set(self.row(int(rows[at])).text["instruments"])
        ]
        return np.asarray(near & np.isin(table["instruments"], np.array(sharing, dtype=np.uint64)))

    def _declared(self) -> Iterable[tuple[str, ...]]:
        table = self._rows.table()
        for seq in np.flatnonzero(table["kind"] == _MERGE):
            yield tuple(self.row(int(seq)).text["merge"])

    def _connected(self, names: set[str]) -> set[str]:
        groups = [set(group) for group in self._declared()]
        reached = set(names)
        while joined := [group for group in groups if group & reached and not group <= reached]:
            reached = reached.union(*joined)
        return reached

    def _kin(self, table: NDArray[Any], near: NDArray[np.bool_], names: set[str]) -> set[str]:
        """Return names outside that ran the same parameters with nearly the same returns."""
        keys = np.array([content_key(name) for name in sorted(names)], dtype=np.uint64)
        inside = np.isin(table["strategy"], keys)
        mine = np.flatnonzero(near & inside)
        others = np.flatnonzero(near & ~inside & np.isin(table["params"], table["params"][mine]))
        # One pair for each other name and parameter set is enough.
        _, first = np.unique(table[["strategy", "params"]][others], return_index=True)
        found = set()
        for other in others[first]:
            twin = mine[table["params"][mine] == table["params"][other]][-1]
            candidate = self.row(int(other))
            if _correlation(self.row(int(twin)), candidate) > _KIN_CORRELATION:
                found.add(str(candidate.text["strategy"]))
        return found


def content_key(*content: Any) -> int:
    """Return a 64-bit key of anything JSON can hold.

    Examples
    --------
    >>> content_key("ma_cross") == content_key("ma_cross"), content_key("a") == content_key("b")
    (True, False)
    """
    encoded = json.dumps(content, sort_keys=True, separators=(",", ":"), default=str).encode()
    return int.from_bytes(hashlib.blake2b(encoded, digest_size=8).digest(), "little")


def _correlation(one: Row, other: Row) -> float:
    start = max(int(one.columns["first_day"]), int(other.columns["first_day"]))
    stop = min(int(one.columns["last_day"]), int(other.columns["last_day"])) + 1
    if stop - start < _KIN_DAYS:
        return 0.0
    a, b = (
        row.values[start - int(row.columns["first_day"]) : stop - int(row.columns["first_day"])]
        for row in (one, other)
    )
    if a.std() == 0 or b.std() == 0:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])
