"""Rows of one series in integer units, and how two sets of them become one."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

from openalpha.core.clock import format_ms
from openalpha.core.errors import DataError
from openalpha.core.units import BOUND
from openalpha.market.series import COLUMNS, ColumnUnit, SeriesKey

__all__ = ["Block", "Merged", "content_hash", "merge", "months_of", "rescale", "without_stamps"]

_NS_PER_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Block:
    """Rows of one series with the decimals of their units.

    Parameters
    ----------
    frame : pl.DataFrame
        The columns of `series.COLUMNS`, in order; keyed kinds by increasing `ts`, event kinds in
        order of arrival.
    price_decimals, qty_decimals : int
        Prices are counted in 10^-d, quantities in 10^-q.
    """

    frame: pl.DataFrame
    price_decimals: int = 0
    qty_decimals: int = 0


@dataclass(frozen=True, slots=True)
class Merged:
    """What merging gave: the rows of both, how many were new and how many were known."""

    block: Block
    added: int
    known: int


def rescale(block: Block, key: SeriesKey, *, price_decimals: int, qty_decimals: int) -> Block:
    """Return the same values counted in finer units.

    Raises
    ------
    DataError
        If a value would become too large to be held exactly.
    """
    up_price = price_decimals - block.price_decimals
    up_qty = qty_decimals - block.qty_decimals
    assert up_price >= 0, "units only become finer"
    assert up_qty >= 0, "units only become finer"
    factors = {ColumnUnit.PRICE: 10**up_price, ColumnUnit.QTY: 10**up_qty}
    changed = [
        (name, factors[unit])
        for name, unit in COLUMNS[key.kind].items()
        if factors.get(unit, 1) != 1
    ]
    for name, factor in changed:
        largest = block.frame[name].max()
        if isinstance(largest, int) and largest * factor >= BOUND:
            raise DataError(f"{key}: column {name} is too large for the finer units of new data")
    frame = block.frame.with_columns(pl.col(name) * factor for name, factor in changed)
    return Block(frame, price_decimals, qty_decimals)


def merge(
    key: SeriesKey,
    new: Block,
    *,
    old: Block | None = None,
    source: str = "the new data",
    old_source: str = "the lake",
) -> Merged:
    """Put new rows beside the known ones; rows both have must agree.

    Event kinds have no key: a row counts as known as often as the old rows hold its like.

    Raises
    ------
    DataError
        If both have a row of one stamp and the rows differ: named with stamp and column.
    """
    if old is None:
        old = Block(new.frame.clear(), new.price_decimals, new.qty_decimals)
    d = max(old.price_decimals, new.price_decimals)
    q = max(old.qty_decimals, new.qty_decimals)
    old = rescale(old, key, price_decimals=d, qty_decimals=q)
    new = rescale(new, key, price_decimals=d, qty_decimals=q)
    if key.kind.is_keyed:
        fresh = _fresh_keyed(key, old.frame, new.frame, sources=(source, old_source))
        frame = pl.concat([old.frame, fresh]).sort("ts", maintain_order=True)
    else:
        fresh = _fresh_events(old.frame, new.frame)
        frame = pl.concat([old.frame, fresh]).sort("arrival_ns", maintain_order=True)
    return Merged(Block(frame, d, q), fresh.height, new.frame.height - fresh.height)


def months_of(key: SeriesKey, block: Block) -> Iterator[tuple[str, Block]]:
    """Cut a block into calendar months (UTC): yields `2024-01` and the rows of that month."""
    if block.frame.height == 0:
        return
    stamp = pl.col("ts") if key.kind.is_keyed else pl.col("arrival_ns") // _NS_PER_MS
    tagged = block.frame.with_columns(
        _month=pl.from_epoch(stamp, "ms").dt.truncate("1mo").dt.epoch("ms")
    )
    parts = tagged.partition_by("_month", as_dict=True, include_key=False, maintain_order=True)
    for (start_ms,), frame in sorted(parts.items()):
        name = f"{datetime.fromtimestamp(start_ms / 1000, UTC):%Y-%m}"
        yield name, Block(frame, block.price_decimals, block.qty_decimals)


def without_stamps(block: Block, other: Block, *, within: tuple[int, int] | None = None) -> Block:
    """Return the rows of a keyed block that lie outside a span and whose stamps another lacks."""
    frame = block.frame.join(other.frame.select("ts"), on="ts", how="anti", maintain_order="left")
    if within is not None:
        frame = frame.filter(~pl.col("ts").is_between(within[0], within[1] - 1))
    return Block(frame, block.price_decimals, block.qty_decimals)


def content_hash(block: Block) -> str:
    """Return a SHA-256 over the rows and their decimals."""
    digest = hashlib.sha256(f"{block.price_decimals}|{block.qty_decimals}".encode())
    for name in block.frame.columns:
        column = block.frame[name]
        digest.update(f"|{name}|{len(column)}|".encode())
        if column.dtype == pl.String:
            digest.update("\n".join(column.fill_null("")).encode())
        else:
            digest.update(column.to_numpy().astype("<i8", copy=False).tobytes())
    return digest.hexdigest()


def _fresh_keyed(
    key: SeriesKey, old: pl.DataFrame, new: pl.DataFrame, *, sources: tuple[str, str]
) -> pl.DataFrame:
    source, old_source = sources
    new = _without_repeats(key, new, source=source)
    fresh = new.join(old, on="ts", how="anti", maintain_order="left")
    if fresh.height == new.height:
        return fresh
    both = new.join(old, on="ts", how="inner", suffix="_old", maintain_order="left")
    values = [name for name in new.columns if name != "ts"]
    differing = both.filter(pl.any_horizontal(pl.col(n) != pl.col(f"{n}_old") for n in values))
    if differing.height:
        row = differing.row(0, named=True)
        name = next(n for n in values if row[n] != row[f"{n}_old"])
        raise DataError(
            f"{key}: {differing.height} of {both.height} common rows of {source} and {old_source} "
            f"disagree, first at {format_ms(row['ts'])}, column {name}: {row[name]} against "
            f"{row[f'{name}_old']} units; remove one of the two"
        )
    return fresh


def _without_repeats(key: SeriesKey, frame: pl.DataFrame, *, source: str) -> pl.DataFrame:
    distinct = frame.unique(maintain_order=True)
    repeated = distinct.filter(pl.col("ts").is_duplicated())
    if repeated.height:
        stamp = int(repeated["ts"][0])
        raise DataError(
            f"{key}: {source} has different rows for {format_ms(stamp)}; keep one of them"
        )
    return distinct


def _fresh_events(old: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
    # The n-th like row of the new data is known if the old data holds n of its like.
    names = new.columns
    count = pl.int_range(pl.len()).over(names).alias("_nth")
    numbered = new.with_columns(count)
    known = old.with_columns(count)
    on = [*names, "_nth"]
    return numbered.join(known, on=on, how="anti", nulls_equal=True, maintain_order="left").drop(
        "_nth"
    )
