"""One fact, one record: the same trade in two kinds of file counts once.

Equal rows of one family were merged by their keys already. Here records of different families of a
venue are compared: by coins, amounts and nearly the same time, one to one. The family that says
more is kept, and our own ledger before any file. Nothing depends on the order in which files were
imported.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import replace
from decimal import Decimal
from typing import NamedTuple

from openalpha.books.imports.records import OWN_FAMILY, Kind, Move, Record

__all__ = ["Merged", "in_time_order", "merge"]

_EIGHT = Decimal("1e-8")
_MINUTE_MS = 60_000
_TRANSFER_MS = 30 * _MINUTE_MS

_SAYS_MOST_FIRST = (
    "bybit transaction log", "bybit unified changes", "bybit funding changes",
    "binance transaction history", "kraken ledgers", "btc markets transactions",
    "kucoin fills", "bybit spot trades", "bybit derivatives trades",
    "bybit deposits and withdrawals", "binance spot trades", "kraken trades",
    "btc markets trades", "kucoin orders", "bybit closed pnl",
)  # fmt: skip
_RANK = {family: rank for rank, family in enumerate(_SAYS_MOST_FIRST)} | {OWN_FAMILY: -2}


class Merged(NamedTuple):
    """Records that count, in order of time, and those another family says already."""

    records: list[Record]
    aside: list[Record]


def merge(records: Iterable[Record]) -> Merged:
    """Set aside what another family of the same venue says too."""
    kept: list[Record] = []
    aside: list[Record] = []
    index: dict[Hashable, list[int]] = defaultdict(list)
    used: set[tuple[int, str]] = set()
    orders = {(r.venue, r.ref) for r in records if r.family == "kucoin fills" and r.ref}
    ordered = sorted(records, key=lambda r: (_RANK.get(r.family, -1), r.ts_ms, r.key))
    for record in ordered:
        is_order = record.family == "kucoin orders" and (record.venue, record.ref) in orders
        print_of, widest = _print(record), _widest(record)
        slot = record.ts_ms // widest
        near = [n for step in (-1, 0, 1) for n in index.get((print_of, slot + step), ())]
        twin = None if print_of is None else _twin(record, near, kept, used)
        if is_order or twin is not None:
            aside.append(record)
            if twin is not None and record.ref and not kept[twin].ref:
                kept[twin] = replace(kept[twin], ref=record.ref)
            continue
        kept.append(record)
        if print_of is not None:
            index[print_of, slot].append(len(kept) - 1)
    kept, more = _without_halves(kept)
    kept, summed = _without_sums(kept)
    return Merged(in_time_order(kept), aside + more + summed)


def in_time_order(records: Iterable[Record]) -> list[Record]:
    """Sort by time; of one instant, what comes in before what goes out."""
    return sorted(records, key=lambda record: (record.ts_ms, _flow(record), record.key))


def _flow(record: Record) -> int:
    if record.kind is Kind.TRADE:
        return 1 if record.label == "buy" else 2
    if not record.moves or record.kind in (Kind.CONTRACT, Kind.FILL):
        return 1
    return 0 if record.moves[0].amount > 0 else 3


def _print(record: Record) -> Hashable | None:
    """Return what the same fact has in common in every file; the time is compared apart."""
    if record.kind is Kind.TRADE:
        base, quote = record.moves
        return (record.venue, "trade", base.coin, quote.coin, base.amount.quantize(_EIGHT))
    if record.kind in (Kind.DEPOSIT, Kind.WITHDRAWAL):
        ((coin, amount),) = record.moves
        return (record.venue, "transfer", coin, amount.quantize(_EIGHT))
    if record.kind is Kind.CONTRACT and record.label == "funding":
        ((_, amount),) = record.moves
        return (record.venue, "funding", record.contract, amount.quantize(_EIGHT))
    is_fill = record.kind is Kind.FILL or record.family != "bybit closed pnl"
    if is_fill and record.qty is not None and record.price is not None:
        numbers = (record.qty.quantize(_EIGHT), record.price.quantize(_EIGHT))
        return (record.venue, "fill", record.contract, *numbers)
    return None


def _widest(record: Record) -> int:
    """Return how far apart in time two files may state the same fact, in ms."""
    is_transfer = record.kind in (Kind.DEPOSIT, Kind.WITHDRAWAL)
    return _TRANSFER_MS if is_transfer else _MINUTE_MS


def _twin(
    record: Record, at: list[int], kept: list[Record], used: set[tuple[int, str]]
) -> int | None:
    """Find the nearest record of another family that no other of this family was matched with."""
    widest = _widest(record)
    best: int | None = None
    for number in at:
        apart = abs(kept[number].ts_ms - record.ts_ms)
        is_free = kept[number].family != record.family and (number, record.family) not in used
        if not is_free or apart > widest:
            continue
        if best is None or apart < abs(kept[best].ts_ms - record.ts_ms):
            best = number
    if best is not None:
        used.add((best, record.family))
    return best


def _without_halves(records: list[Record]) -> tuple[list[Record], list[Record]]:
    """Set aside one side of a trade whose whole another file has: a file may end between them."""
    wholes: set[tuple[str, int, Move, Move]] = set()
    for record in records:
        if record.kind is Kind.TRADE:
            for net, left in zip(record.net, record.balances, strict=False):
                wholes.add((record.account, record.ts_ms, net, left))
    kept, aside = [], []
    for record in records:
        is_half = record.kind in (Kind.UNKNOWN, Kind.LEG) and bool(record.net and record.balances)
        if is_half and (record.account, record.ts_ms, record.net[0], record.balances[0]) in wholes:
            aside.append(record)
        else:
            kept.append(record)
    return kept, aside


def _without_sums(records: list[Record]) -> tuple[list[Record], list[Record]]:
    """Set aside closed profits in a stretch whose fills are there: they sum up the same money."""
    spans: dict[tuple[str, str], tuple[int, int]] = {}
    for record in records:
        if record.family != "bybit closed pnl" and record.contract and record.qty is not None:
            first, last = spans.get((record.venue, record.contract), (record.ts_ms, record.ts_ms))
            span = (min(first, record.ts_ms), max(last, record.ts_ms))
            spans[record.venue, record.contract] = span
    kept: list[Record] = []
    aside: list[Record] = []
    for record in records:
        span = spans.get((record.venue, record.contract), (1, 0))
        is_sum = record.family == "bybit closed pnl" and span[0] <= record.ts_ms <= span[1]
        (aside if is_sum else kept).append(record)
    return kept, aside
