"""Imports files and folders into the lake: all or nothing, and each file's fate is told."""

import csv
import io
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from openalpha.core.clock import Clock, parse_timeframe, timeframe_name
from openalpha.core.errors import DataError, InputError, StorageError
from openalpha.market.importers.layouts import Canonical, rates_beside, recognise
from openalpha.market.importers.names import Named, what_name_says
from openalpha.market.importers.raw import can_open, open_tables
from openalpha.market.importers.rows import judge, to_block, usual_step_ms
from openalpha.market.lake import Lake
from openalpha.market.series import SeriesKey, SeriesKind
from openalpha.market.staging import Transaction
from openalpha.store.kept import refuse_kept

__all__ = ["FileResult", "ImportReport", "Stated", "import_paths"]

_SHOWN_BAD_ROWS = 8


@dataclass(frozen=True, slots=True)
class Stated:
    """What the user says about the files; empty where the files speak for themselves."""

    market: str = ""
    symbol: str = ""
    timeframe: str = ""
    reject_to: Path | None = None


@dataclass(frozen=True, slots=True)
class FileResult:
    """What became of one table.

    Parameters
    ----------
    path : str
    series : str
        Empty where it could not be used.
    rows, added, known, rejected : int
        Fit rows, those new to the lake, those it had already, and unfit ones set aside.
    skipped : str
        Why it could not be used; empty where it was.
    notes : tuple of str
    """

    path: str
    series: str = ""
    rows: int = 0
    added: int = 0
    known: int = 0
    rejected: int = 0
    skipped: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did, file by file."""

    files: tuple[FileResult, ...]
    rejected_to: str = ""

    @property
    def added(self) -> int:
        """Return how many rows are new to the lake."""
        return sum(item.added for item in self.files)


@dataclass
class _Bad:
    """Unfit rows of all files."""

    rows: list[tuple[str, int, str, str]] = field(default_factory=list)

    def take(self, path: str, bad: pl.DataFrame) -> None:
        self.rows += [(path, row, column, why) for row, column, why in bad.iter_rows()]


def import_paths(
    lake: Lake,
    paths: Sequence[Path],
    *,
    clock: Clock,
    stated: Stated | None = None,
    advance: Callable[..., None] = lambda *_, **__: None,
) -> ImportReport:
    """Import files and folders in one all-or-nothing step.

    What a folder holds that cannot be used is reported, not fatal; a file named by itself must be
    usable. Rows already in the lake must agree with the new ones.

    Parameters
    ----------
    lake : Lake
    paths : sequence of Path
        Files (csv, parquet, feather, json, zip, gz) and folders, taken with all below them.
    clock : Clock
        Bars of the future are refused by it.
    stated : Stated, optional
        Market, symbol and time frame where names do not tell, and where unfit rows go.
    advance : callable
        Told `advance(1, what=name)` after each file.

    Returns
    -------
    ImportReport

    Raises
    ------
    InputError
        If a path does not exist or nothing in it can be used.
    DataError
        If a row is unfit and `reject_to` is not given, or files disagree. Nothing is imported.
    StorageError
        If the disk refuses. Nothing is imported.
    """
    stated = stated if stated is not None else Stated()
    results: list[FileResult] = []
    bad = _Bad()
    with lake.transaction() as change:
        for path, is_named in _expand(paths):
            for result in _import_file(change, path, stated, bad, now_ms=clock.now_ms()):
                if result.skipped and is_named:
                    raise InputError(f"{path} cannot be imported: {result.skipped}")
                results.append(result)
            advance(1, what=path.name)
        _refuse_empty(paths, results)
        if bad.rows:
            _set_aside(bad, stated.reject_to)
    rejected_to = str(stated.reject_to) if bad.rows and stated.reject_to else ""
    return ImportReport(tuple(results), rejected_to)


def _expand(paths: Sequence[Path]) -> Iterator[tuple[Path, bool]]:
    for path in paths:
        if path.is_dir():
            for below in sorted(path.rglob("*")):
                hidden = any(part.startswith(".") for part in below.relative_to(path).parts)
                if below.is_file() and not hidden:
                    yield below, False
        elif path.exists():
            yield path, True
        else:
            raise InputError(f"{path} does not exist; name a file or folder to import")


def _refuse_empty(paths: Sequence[Path], results: list[FileResult]) -> None:
    if any(not result.skipped for result in results):
        return
    names = ", ".join(str(path) for path in paths)
    why = f"; {results[0].path}: {results[0].skipped}" if results else ": it holds no files"
    raise InputError(f"nothing in {names} can be imported{why}")


def _import_file(
    change: Transaction, path: Path, stated: Stated, bad: _Bad, *, now_ms: int
) -> Iterator[FileResult]:
    shown = "/".join(path.parts[-3:])
    if not can_open(path):
        yield FileResult(shown, skipped=f"not a table ({path.suffix or 'no ending'})")
        return
    try:
        tables = list(open_tables(path))
    except DataError as error:
        why = error.message.removeprefix(f"{path} ").removeprefix("cannot be used: ")
        yield FileResult(shown, skipped=why)
        return
    for table in tables:
        named = what_name_says(path, table.name)
        canonical = _not_kept(path, table.name) or recognise(table, named)
        taken = _import_table(change, shown, canonical, named, stated, bad, now_ms=now_ms)
        yield taken
        rates = None if taken.skipped else rates_beside(table, named)
        market = stated.market or named.market
        if rates is not None and not market.endswith("spot"):
            yield _import_table(change, shown, rates, named, stated, bad, now_ms=now_ms)


def _not_kept(path: Path, name: str) -> str:
    """Say why a table is of a kind the lake has no place for, by its name; empty otherwise.

    Liquidations have the columns of trades: only their name or the folder of their kind tells.
    """
    folders = [part.lower() for part in path.parts[-3:-1]]
    if "liquidation" not in f"{path.name} {name}".lower() and "liquidations" not in folders:
        return ""
    kinds = ", ".join(str(kind).replace("_", " ") for kind in SeriesKind)
    return f"liquidations are not kept; the lake holds {kinds}"


def _import_table(
    change: Transaction,
    shown: str,
    canonical: Canonical | str,
    named: Named,
    stated: Stated,
    bad: _Bad,
    *,
    now_ms: int,
) -> FileResult:
    if isinstance(canonical, str):
        return FileResult(shown, skipped=canonical)
    if canonical.frame.height == 0:
        return FileResult(shown, skipped="it has no rows")
    key = _key(canonical, named, stated)
    if isinstance(key, str):
        return FileResult(shown, skipped=key)
    judged = judge(canonical, key.timeframe_ms, now_ms=now_ms)
    bad.take(shown, judged.bad)
    block, notes = to_block(key, judged.frame)
    merged = change.merge(key, block, source=shown)
    return FileResult(
        shown,
        series=str(key),
        rows=judged.frame.height,
        added=merged.added,
        known=merged.known,
        rejected=judged.bad.height,
        notes=tuple(notes),
    )


def _key(table: Canonical, named: Named, stated: Stated) -> SeriesKey | str:
    market = stated.market or table.market or named.market
    symbol = stated.symbol or table.symbol or named.symbol
    if not market or not symbol:
        lacking = " and ".join(
            name for name, value in (("--market", market), ("--symbol", symbol)) if not value
        )
        return f"its name does not tell whose data it is; add {lacking}"
    timeframe = ""
    if table.kind.has_timeframe:
        timeframe = stated.timeframe or named.timeframe
        if not timeframe:
            step = usual_step_ms(table.frame)
            if step is None or step <= 0:
                return "its time frame cannot be told; add --timeframe"
            timeframe = timeframe_name(step)
        timeframe = timeframe_name(parse_timeframe(timeframe))
    try:
        return SeriesKey(market, symbol, table.kind, timeframe)
    except InputError as error:
        return error.message


def _set_aside(bad: _Bad, reject_to: Path | None) -> None:
    rows = bad.rows
    if reject_to is None:
        shown = "; ".join(
            f"{path} row {row}, column {column}: {why}"
            for path, row, column, why in rows[:_SHOWN_BAD_ROWS]
        )
        more = f"; and {len(rows) - _SHOWN_BAD_ROWS} more" if len(rows) > _SHOWN_BAD_ROWS else ""
        raise DataError(
            f"{len(rows)} unfit row(s), so nothing was imported: {shown}{more}. Mend the files, or "
            "add --reject-to FILE to set such rows aside"
        )
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("file", "row", "column", "reason"))
    writer.writerows(rows)
    refuse_kept(reject_to)
    partial = reject_to.with_name(f".{reject_to.name}.{os.getpid()}.tmp")
    try:
        partial.write_text(text.getvalue(), "utf-8")
        partial.replace(reject_to)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise StorageError(
            f"{reject_to} cannot be written ({error.strerror}); nothing was imported"
        ) from None
