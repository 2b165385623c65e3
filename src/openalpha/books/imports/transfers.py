"""Matches what left one account with what arrived at another, with its fee and its delay."""

from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from openalpha.books.imports.records import Kind, Record

__all__ = ["Matched", "Transfer", "match_internal", "match_transfers"]

_MOST_FEE = Decimal("0.05")  # of what left; networks cost less, and more is somebody else's deposit
_EARLIEST_MS = -60 * 60_000  # clocks of two venues differ, and stamps may be of the request
_LATEST_MS = 3 * 24 * 60 * 60_000
_INTERNAL_MS = 2 * 60_000


class Transfer(NamedTuple):
    """A withdrawal and the deposit it became."""

    out: Record
    into: Record

    @property
    def left(self) -> Decimal:
        """How much left the source, with the fee it took on top."""
        coin, amount = self.out.moves[0]
        return -amount + sum((f.amount for f in self.out.fees if f.coin == coin), Decimal(0))

    @property
    def arrived(self) -> Decimal:
        """How much the target got, less a fee it took."""
        coin, amount = self.into.moves[0]
        return amount - sum((f.amount for f in self.into.fees if f.coin == coin), Decimal(0))


class Matched(NamedTuple):
    """Transfers that were matched, and withdrawals and deposits that were not."""

    transfers: list[Transfer]
    alone: list[Record]


def match_transfers(records: Iterable[Record]) -> Matched:
    """Match withdrawals with deposits of the same coin.

    The same transaction on the chain matches for certain. Else what arrived must be what left or
    up to 5 % less, from an hour before to three days after; the pair that lies nearest in amount
    and then in time goes first. Each is used once.
    """
    every = list(records)
    outs = [record for record in every if record.kind is Kind.WITHDRAWAL]
    ins = [record for record in every if record.kind is Kind.DEPOSIT]
    by_coin: dict[str, list[int]] = defaultdict(list)
    for number, record in enumerate(ins):
        by_coin[record.moves[0].coin].append(number)
    pairs = []
    for out_at, out in enumerate(outs):
        for in_at in by_coin[out.moves[0].coin]:
            rank = _rank(Transfer(out, ins[in_at]))
            if rank is not None:
                pairs.append((*rank, out.key, ins[in_at].key, out_at, in_at))
    transfers = []
    used_out: set[int] = set()
    used_in: set[int] = set()
    for *_, out_at, in_at in sorted(pairs):
        if out_at not in used_out and in_at not in used_in:
            used_out.add(out_at)
            used_in.add(in_at)
            transfers.append(Transfer(outs[out_at], ins[in_at]))
    alone = [record for number, record in enumerate(outs) if number not in used_out]
    alone += [record for number, record in enumerate(ins) if number not in used_in]
    return Matched(transfers, alone)


def _rank(pair: Transfer) -> tuple[int, Decimal, int] | None:
    """Return how near a deposit lies, the nearest least; None where it cannot be the one."""
    lost = pair.left - pair.arrived
    delay = pair.into.ts_ms - pair.out.ts_ms
    if lost < 0 or (pair.out.venue, pair.out.account) == (pair.into.venue, pair.into.account):
        return None
    one, other = pair.out.ref.lower(), pair.into.ref.lower()
    if len(one) >= 16 and one.removeprefix("0x") == other.removeprefix("0x"):
        return 0, lost, abs(delay)
    if lost > pair.left * _MOST_FEE or not _EARLIEST_MS <= delay <= _LATEST_MS:
        return None
    return 1, lost, abs(delay)


def match_internal(records: Iterable[Record]) -> list[Record]:
    """Return the moves between accounts of one venue whose other side is in no file."""
    waiting: dict[tuple[str, str, Decimal], list[Record]] = defaultdict(list)
    for record in records:
        if record.kind is Kind.INTERNAL and record.moves:
            coin, amount = record.moves[0]
            other = waiting[record.venue, coin, -amount]
            for one in other:
                is_other = one.account != record.account or one.family != record.family
                if is_other and abs(one.ts_ms - record.ts_ms) <= _INTERNAL_MS:
                    other.remove(one)
                    break
            else:
                waiting[record.venue, coin, amount].append(record)
    return [record for alone in waiting.values() for record in alone]
