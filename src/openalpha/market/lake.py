"""The lake: history at rest, one Parquet file a series and month, read as histories.

lake/<market>/<SYMBOL>/<kind>[_<time frame>]/<YYYY-MM>.parquet
lake/instruments/<market>.json      rules as downloaded, with source and date
lake/catalogue.json                 a cache of what the files say; rebuilt when lost
lake/unusable.json                  ranges that `data check` found unusable
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

import polars as pl

from openalpha.core.errors import UnknownName
from openalpha.core.instruments import Instrument
from openalpha.market.blocks import Block, Merged, rescale
from openalpha.market.history import History
from openalpha.market.loading import load_history
from openalpha.market.month_files import read_info, read_month
from openalpha.market.rules_file import merged_rules, read_rules, rules_name, rules_text
from openalpha.market.series import COLUMNS, ColumnUnit, SeriesKey
from openalpha.market.series_list import SeriesInfo, list_series, missing_series, series_info
from openalpha.market.settings import DataSettings
from openalpha.market.staging import Transaction, recover

__all__ = ["Lake", "SeriesInfo"]


class Lake:
    """History at rest below `home/lake`.

    Any number of processes may read while others write, each series by one writer at a time.

    Parameters
    ----------
    home : Path
        OpenAlpha's home folder; the lake need not exist yet.
    settings : DataSettings
        How series are read.
    """

    def __init__(self, home: Path, *, settings: DataSettings | None = None) -> None:
        self.root = home / "lake"
        self.settings = settings if settings is not None else DataSettings()
        recover(self.root)

    def transaction(self) -> Transaction:
        """Return an all-or-nothing change, to be used as a context manager."""
        return Transaction(self.root)

    def merge(self, key: SeriesKey, block: Block, *, source: str, replace: bool = False) -> Merged:
        """Add rows to one series at once, all or nothing; see `Transaction.merge`."""
        with self.transaction() as change:
            return change.merge(key, block, source=source, replace=replace)

    def months(self, key: SeriesKey) -> list[str]:
        """Return the months a series has rows in: `2024-01`, oldest first."""
        folder = self.root / key.folder
        return sorted(path.stem for path in folder.glob("*.parquet"))

    def series(self) -> list[SeriesInfo]:
        """Return the catalogue, one row a series, in order of market, symbol and kind."""
        return list_series(self.root)

    def info(self, key: SeriesKey) -> SeriesInfo | None:
        """Return the catalogue row of one series, None where the lake does not have it."""
        folder = self.root / key.folder
        months = [read_info(path) for path in sorted(folder.glob("*.parquet"))]
        return series_info(key, months) if months else None

    def read(
        self, key: SeriesKey, *, start_ms: int | None = None, end_ms: int | None = None
    ) -> Block:
        """Return the rows of a series within [start_ms, end_ms), in the finest units of its files.

        Raises
        ------
        DataError
            If a file is damaged.
        """
        span = (start_ms if start_ms is not None else 0, end_ms if end_ms is not None else 2**62)
        blocks = []
        for month in self.months(key):
            info = read_info(self._file(key, month))
            if info.last_ms >= span[0] and info.first_ms < span[1]:
                blocks.append(read_month(self._file(key, month), key, span=span)[0])
        if not blocks:
            return Block(pl.DataFrame(schema=key.polars_schema()))
        d = max(block.price_decimals for block in blocks)
        q = max(block.qty_decimals for block in blocks)
        frames = [rescale(b, key, price_decimals=d, qty_decimals=q).frame for b in blocks]
        return Block(pl.concat(frames), d, q)

    def scan(self, key: SeriesKey) -> pl.LazyFrame:
        """Return a lazy view of a series too large for memory, in the finest units of its files.

        Raises
        ------
        UnknownName
            If the lake has no such series.
        """
        info = self.info(key)
        if info is None:
            raise UnknownName(missing_series(key, self.series()))
        lazies = []
        for month in self.months(key):
            path = self._file(key, month)
            own = read_info(path)
            factors = {
                ColumnUnit.PRICE: 10 ** (info.price_decimals - own.price_decimals),
                ColumnUnit.QTY: 10 ** (info.qty_decimals - own.qty_decimals),
            }
            units = COLUMNS[key.kind].items()
            finer = [pl.col(name) * factors[unit] for name, unit in units if unit in factors]
            lazies.append(pl.scan_parquet(path).with_columns(finer))
        return pl.concat(lazies)

    def load(
        self,
        instrument: str,
        timeframe: str,
        *,
        start_ms: int | None = None,
        end_ms: int | None = None,
        with_: Sequence[str] = ("funding", "mark", "index"),
    ) -> History:
        """Return prepared history of an instrument.

        Without `start_ms` the latest stretch is used that has no gap above `data.max_gap`; the
        notes say so. What the lake lacks of `with_` is noted, never made up.

        Parameters
        ----------
        instrument : str
            `bybit_linear:BTCUSDT`.
        timeframe : str
            `1m`, `4h` …; it must be in the lake (`openalpha data resample` makes it).
        start_ms, end_ms : int, optional
            Bars that open within [start_ms, end_ms), UTC ms.
        with_ : sequence of str
            Of funding, mark, index.

        Raises
        ------
        UnknownName
            If the lake has no such series; the message names what it has.
        DataError
            If there is no bar in the range, or `data check` found part of it unusable and
            `data.allow_unusable` is off.
        """
        return load_history(
            self, instrument, timeframe=timeframe, span=(start_ms, end_ms), with_=with_
        )

    def keep_instruments(self, instruments: Iterable[Instrument], *, now_ms: int) -> None:
        """Keep downloaded rules; a changed tick or lot becomes a dated step, the past stays."""
        by_market: dict[str, list[Instrument]] = {}
        for item in instruments:
            by_market.setdefault(item.market, []).append(item)
        with self.transaction() as change:
            for market, fresh in by_market.items():
                merged = merged_rules(read_rules(self.root, market), fresh, now_ms=now_ms)
                change.put_text(rules_name(market), rules_text(merged.values()))

    def unusable(self) -> dict[str, list[tuple[int, int, str]]]:
        """Return the ranges found unusable: series folder -> (from_ms, to_ms, why)."""
        try:
            kept = json.loads((self.root / "unusable.json").read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return {name: [(a, b, why) for a, b, why in rows] for name, rows in kept.items()}

    def keep_unusable(self, ranges: dict[str, list[tuple[int, int, str]]]) -> None:
        """Remember ranges that runs shall refuse; replaces what was remembered."""
        if ranges or (self.root / "unusable.json").exists():
            with self.transaction() as change:
                change.put_text(PurePosixPath("unusable.json"), json.dumps(ranges, indent=1))

    def _file(self, key: SeriesKey, month: str) -> Path:
        return self.root / key.folder / f"{month}.parquet"
