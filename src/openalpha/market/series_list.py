"""The lake's catalogue: which series there are, read from the files and cached beside them."""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

from openalpha.core.clock import format_ms
from openalpha.market.month_files import MonthInfo, read_info
from openalpha.market.series import SeriesKey

__all__ = ["SeriesInfo", "list_series", "missing_series", "series_info", "span_text"]

_CATALOGUE = "catalogue.json"


@dataclass(frozen=True, slots=True)
class SeriesInfo:
    """One row of the catalogue.

    Parameters
    ----------
    key : SeriesKey
    rows : int
    first_ms, last_ms : int
        First and last stamp, UTC ms (of a bar: its open).
    price_decimals, qty_decimals : int
        The finest of its files.
    fingerprint : str
        SHA-256 over the hashes of its files.
    sources : tuple of str
        What it was made from.
    """

    key: SeriesKey
    rows: int
    first_ms: int
    last_ms: int
    price_decimals: int
    qty_decimals: int
    fingerprint: str
    sources: tuple[str, ...]


def list_series(root: Path) -> list[SeriesInfo]:
    """Return one row a series of the lake, in order of market, symbol, kind and time frame.

    The cached catalogue spares opening files that did not change; it is rebuilt where it is lost.

    Raises
    ------
    DataError
        If a file of the lake is damaged.
    """
    cached = _cached(root)
    found: dict[str, tuple[list[int], MonthInfo]] = {}
    by_key: dict[SeriesKey, list[MonthInfo]] = {}
    for path in sorted(root.glob("*/*/*/*.parquet")):
        key = SeriesKey.of_folder(PurePosixPath(*path.parent.parts[-3:]))
        if key is None:
            continue
        name = path.relative_to(root).as_posix()
        state = path.stat()
        stamp = [state.st_size, state.st_mtime_ns, state.st_ino]
        known = cached.get(name)
        info = known[1] if known is not None and known[0] == stamp else read_info(path)
        found[name] = (stamp, info)
        by_key.setdefault(key, []).append(info)
    if found != cached:
        _keep(root, found)
    return [series_info(key, months) for key, months in sorted(by_key.items())]


def series_info(key: SeriesKey, months: Sequence[MonthInfo]) -> SeriesInfo:
    """Return the catalogue row of a series from what its month files (at least one) say."""
    digest = hashlib.sha256("".join(month.sha256 for month in months).encode())
    return SeriesInfo(
        key=key,
        rows=sum(month.rows for month in months),
        first_ms=min(month.first_ms for month in months),
        last_ms=max(month.last_ms for month in months),
        price_decimals=max(month.price_decimals for month in months),
        qty_decimals=max(month.qty_decimals for month in months),
        fingerprint=digest.hexdigest(),
        sources=tuple(dict.fromkeys(source for month in months for source in month.sources)),
    )


def missing_series(key: SeriesKey, known: Sequence[SeriesInfo]) -> str:
    """Say that the lake lacks a series, and what it has instead."""
    alike = [str(row.key) for row in known if row.key.instrument == key.instrument]
    if alike:
        return f"the lake has no {key}; of {key.instrument} it has: {', '.join(alike)}"
    names = sorted({str(row.key.instrument) for row in known})
    if not names:
        return f"the lake has no {key}: it is empty; run `openalpha data download` or `data import`"
    shown = ", ".join(names[:8]) + (" …" if len(names) > 8 else "")
    return f"the lake has nothing of {key.instrument}; it has: {shown}"


def span_text(info: SeriesInfo) -> str:
    """Return first and last stamp of a series as text."""
    return f"{format_ms(info.first_ms)} to {format_ms(info.last_ms)}"


def _cached(root: Path) -> dict[str, tuple[list[int], MonthInfo]]:
    try:
        kept = json.loads((root / _CATALOGUE).read_text("utf-8"))
        return {
            name: (stamp, MonthInfo(**{**info, "sources": tuple(info["sources"])}))
            for name, (stamp, info) in kept.items()
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def _keep(root: Path, infos: dict[str, tuple[list[int], MonthInfo]]) -> None:
    text = json.dumps({name: [stamp, asdict(info)] for name, (stamp, info) in infos.items()})
    partial = root / f".{_CATALOGUE}.{os.getpid()}.tmp"
    try:
        partial.write_text(text, "utf-8")
        partial.replace(root / _CATALOGUE)
    except OSError:
        # Only a cache: a lake this process may not write to is read all the same.
        return
