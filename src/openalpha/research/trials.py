"""The trial ledger: every configuration ever evaluated on history, with its daily net returns.

A trial belongs to a family: the strategy's name and every name it was declared or found to descend
from, at least one common instrument, and an overlapping period. Declaring can only merge families.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openalpha.core.clock import DAY_MS, Clock, SystemClock
from openalpha.research.trial_rows import content_key, packed_rows
from openalpha.store.chain import ChainedRows, ChainFault, Row

__all__ = ["Family", "Trial", "TrialBatch", "TrialLedger", "content_key"]

_TRIAL, _MERGE, _SHARED = 0, 1, 2
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


@dataclass(frozen=True, slots=True, eq=False)
class TrialBatch:
    """Configurations of one strategy on the same data with the same settings, evaluated together.

    Parameters
    ----------
    common : Trial
        What they share; its params are those that none of them changes, its returns are not read.
    params : sequence of mapping
        Of each configuration, those that differ.
    first_day : int
    daily_returns : sequence of float32[k]
        Of each; a configuration that was given up has fewer.
    metrics : sequence of mapping of str to float
        Of each, a few figures to list it by.
    """

    common: Trial
    params: Sequence[Mapping[str, Any]]
    first_day: int
    daily_returns: Sequence[NDArray[np.float32]]
    metrics: Sequence[Mapping[str, float]]


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
        self._shared: dict[int, int] = {}

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
        text = {**_shared_text(trial), "metrics": metrics}
        values = np.asarray(trial.daily_returns, np.float32)
        return self._rows.append(columns, text, values=values).seq

    def append_all(self, batch: TrialBatch) -> int:
        """Add many trials in one go, in their order; returns the first's row, the others follow.

        What they share is written once, in a row before them.

        Raises
        ------
        StorageError
            If the disk refuses; then trials before the one it refused may be there, whole.
        """
        common = batch.common
        names = tuple(sorted({common.strategy, *common.ancestors, common.family} - {""}))
        if len(names) > 1:
            self.merge(*names)
        now_ms = self._clock.now_ms()
        shared = _shared_text(common)
        key = content_key(shared)
        if self._shared.get(key) is None:
            columns = {"ts_ms": now_ms, "kind": _SHARED, "parent": -1}
            nothing = np.empty(0, np.float32)
            self._shared[key] = self._rows.append(columns, shared, values=nothing).seq
        rows = packed_rows(
            common,
            batch.params,
            first_day=batch.first_day,
            daily_returns=batch.daily_returns,
            metrics=batch.metrics,
            shared=self._shared[key],
        )
        columns = {"ts_ms": now_ms, "kind": _TRIAL, "parent": common.parent, **rows.columns}
        return self._rows.append_many(columns, rows.texts, values=batch.daily_returns)

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
        members = self._members(strategy, set(instruments), start_ms, end_ms)
        return Family(
            names=tuple(sorted(members.names)),
            detected=tuple(sorted(members.detected)),
            rows=tuple(np.flatnonzero(members.rows).tolist()),
            configurations=members.configurations,
        )

    def count(
        self, strategy: str, instruments: Iterable[str], *, start_ms: int, end_ms: int
    ) -> int:
        """Return how many distinct configurations the family has tried."""
        return self._members(strategy, set(instruments), start_ms, end_ms).configurations

    def row(self, seq: int) -> Row:
        """Return one row: its columns, text, daily returns and hash."""
        row = self._rows.read(seq)
        if "shared" not in row.text:
            return row
        common = self._rows.read(int(row.text["shared"])).text
        text = {**common, **row.text, "params": {**common["params"], **row.text["params"]}}
        del text["shared"]
        return replace(row, text=text)

    def __len__(self) -> int:
        return len(self._rows.column("kind"))

    def newest(self, count: int) -> list[Row]:
        """Return the last trials, newest first."""
        found = np.flatnonzero(self._rows.column("kind") == _TRIAL)[::-1][:count]
        return [self.row(int(seq)) for seq in found]

    def verify(self) -> ChainFault | None:
        """Read the whole ledger and return the first row that does not fit, None when all do."""
        return self._rows.verify()

    def close(self) -> None:
        """Sync to the disk and let go of the files."""
        self._rows.close()

    def _members(
        self, strategy: str, instruments: set[str], start_ms: int, end_ms: int
    ) -> "_Members":
        table = _Table(self._rows)
        is_near = self._overlapping(table, instruments, start_ms, end_ms)
        names = self._connected({strategy})
        detected: set[str] = set()
        inside = is_near & _among(table("strategy"), names)
        while found := self._kin(table, is_near, inside):
            detected |= found
            names = self._connected(names | found)
            inside = is_near & _among(table("strategy"), names)
        counted = inside & (table("is_counted") != 0)
        return _Members(names, detected, inside, _distinct(table("config")[counted]))

    def _overlapping(
        self, table: "_Table", instruments: set[str], start_ms: int, end_ms: int
    ) -> NDArray[np.bool_]:
        near = (table("kind") == _TRIAL) & (table("first_day") <= (end_ms - 1) // DAY_MS)
        near &= table("last_day") >= start_ms // DAY_MS
        # There are few distinct sets of instruments, mostly in long runs: one row tells its names.
        keys = table("instruments")
        rows = np.flatnonzero(near)
        heads = rows[np.flatnonzero(np.diff(keys[rows], prepend=~keys[rows][:1]))]
        sharing = np.zeros(len(keys), dtype=np.bool_)
        for key, at in zip(*np.unique(keys[heads], return_index=True), strict=True):
            if instruments & set(self.row(int(heads[at])).text["instruments"]):
                sharing |= keys == key
        return np.asarray(near & sharing)

    def _declared(self) -> Iterable[tuple[str, ...]]:
        for seq in np.flatnonzero(self._rows.column("kind") == _MERGE):
            yield tuple(self.row(int(seq)).text["merge"])

    def _connected(self, names: set[str]) -> set[str]:
        groups = [set(group) for group in self._declared()]
        reached = set(names)
        while joined := [group for group in groups if group & reached and not group <= reached]:
            reached = reached.union(*joined)
        return reached

    def _kin(self, table: "_Table", near: NDArray[np.bool_], inside: NDArray[np.bool_]) -> set[str]:
        """Return names outside that ran the same parameters with nearly the same returns."""
        others = np.flatnonzero(near & ~inside)
        if not len(others) or not inside.any():
            return set()
        params, strategies = table("params"), table("strategy")
        mine = np.flatnonzero(inside)
        others = others[np.isin(params[others], params[mine])]
        # One pair for each other name and parameter set is enough.
        pairs = np.rec.fromarrays([strategies[others], params[others]])
        _, first = np.unique(pairs, return_index=True)
        found = set()
        for other in others[first]:
            twin = mine[params[mine] == params[other]][-1]
            candidate = self.row(int(other))
            if _correlation(self.row(int(twin)), candidate) > _KIN_CORRELATION:
                found.add(str(candidate.text["strategy"]))
        return found


@dataclass(frozen=True, slots=True)
class _Members:
    names: set[str]
    detected: set[str]
    rows: NDArray[np.bool_]
    configurations: int


class _Table:
    """The ledger's columns as they stood when it was made, each read when first asked for."""

    def __init__(self, rows: ChainedRows) -> None:
        self._rows = rows
        self._read = {"kind": rows.column("kind")}

    def __call__(self, name: str) -> NDArray[Any]:
        if name not in self._read:
            self._read[name] = self._rows.column(name)[: len(self._read["kind"])]
        return self._read[name]


def _distinct(keys: NDArray[Any]) -> int:
    """Count distinct keys; sorting a million takes a sixtieth of what `np.unique` does."""
    ordered = np.sort(keys)
    return int(np.count_nonzero(ordered[1:] != ordered[:-1])) + 1 if len(ordered) else 0


def _among(keys: NDArray[Any], names: Iterable[str]) -> NDArray[np.bool_]:
    found = np.zeros(len(keys), dtype=np.bool_)
    for name in names:
        found |= keys == np.uint64(content_key(name))
    return found


def _shared_text(common: Trial) -> dict[str, Any]:
    return {
        "strategy": common.strategy,
        "instruments": sorted(common.instruments),
        "params": dict(common.params),
        "source_hash": common.source_hash,
        "data_fingerprint": common.data_fingerprint,
        "settings_hash": common.settings_hash,
        "timeframe_ms": common.timeframe_ms,
    }


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
