"""Compares what the files say was there with the running sum of what moved, to 8 decimals."""

import itertools
from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from openalpha.books.imports.items import ImportItem, item_of
from openalpha.books.imports.records import Kind, Record

__all__ = ["Check", "reconcile"]

ZERO = Decimal(0)
_CLOSE = Decimal("1e-8")


class Check(NamedTuple):
    """The reconciliation of one coin in one account.

    Parameters
    ----------
    opening : Decimal
        What was there before the first row, by its own statement.
    realised, funding, fees, trades, transfers, other : Decimal
        What moved, by kind; together the change of cash. Fees are negative.
    closing : Decimal
        Opening and everything that moved.
    stated : Decimal
        The last balance the files state.
    breaks : int
        Rows whose stated balance is not the one before plus their change.
    verdict : str
        A report's: right, wrong, open (its breaks are open items), settled by a person.
    """

    venue: str
    account: str
    coin: str
    opening: Decimal
    realised: Decimal
    funding: Decimal
    fees: Decimal
    trades: Decimal
    transfers: Decimal
    other: Decimal
    closing: Decimal
    stated: Decimal
    breaks: int
    verdict: str = ""

    @property
    def difference(self) -> Decimal:
        """Stated less computed."""
        return self.stated - self.closing

    @property
    def is_right(self) -> bool:
        """Whether every row fits the one before to 8 decimals, and the end fits the whole."""
        return abs(self.difference) < _CLOSE and not self.breaks


_Sums = tuple[Decimal, Decimal, Decimal, Decimal, Decimal, Decimal]


class _Step(NamedTuple):
    record: Record
    change: Decimal
    balance: Decimal


def reconcile(
    records: Iterable[Record], *, until_ms: int | None = None
) -> tuple[list[Check], list[ImportItem]]:
    """Check every account and coin whose files state balances.

    Parameters
    ----------
    records : iterable of Record
    until_ms : int or None
        Look at rows before this moment only: the end of an income year.

    Returns
    -------
    list of Check
        By venue, account and coin.
    list of ImportItem
        A row each where a balance does not follow from the one before.
    """
    steps: dict[tuple[str, str, str], list[_Step]] = defaultdict(list)
    for record in records:
        if until_ms is None or record.ts_ms < until_ms:
            for net, left in zip(record.net, record.balances, strict=False):
                step = _Step(record, net.amount, left.amount)
                steps[record.venue, record.account, net.coin].append(step)
    checks, items = [], []
    for (venue, account, coin), found in sorted(steps.items(), key=lambda pair: pair[0]):
        chain = _chained(found)
        opening = chain[0].balance - chain[0].change
        breaks = [
            (before, after)
            for before, after in itertools.pairwise(chain)
            if abs(before.balance + after.change - after.balance) >= _CLOSE
        ]
        items += [_broken(coin, before, after) for before, after in breaks]
        sums = _by_kind(chain, coin)
        closing = opening + sum(sums, ZERO)
        stated = chain[-1].balance
        realised, funding, fees, trades, transfers, other = sums
        checks.append(
            Check(
                venue, account, coin, opening, realised, funding, fees, trades, transfers, other,
                closing, stated, len(breaks),
            )
        )  # fmt: skip
    return checks, items


def _broken(coin: str, before: _Step, after: _Step) -> ImportItem:
    due = before.balance + after.change
    text = (
        f"the balance is {after.balance} {coin}, but {before.balance} ({before.record.where}) and "
        f"the change {after.change} make {due}; rows between them are missing, or the file was "
        "rounded: import the rest, or settle it with a reason"
    )
    item = item_of("broken_balance", after.record, text=text)
    return item._replace(key=f"{after.record.key}/{coin}", coin=coin, amount=after.balance - due)


def _chained(steps: list[_Step]) -> list[_Step]:
    """Order rows by time; those of one instant so that each balance follows from the last."""
    groups: dict[int, list[_Step]] = defaultdict(list)
    for step in steps:
        groups[step.record.ts_ms].append(step)
    chain: list[_Step] = []
    for ts_ms in sorted(groups):
        left = sorted(groups[ts_ms], key=lambda step: step.record.key)
        while left:
            chain.append(left.pop(_next(left, chain[-1].balance if chain else None)))
    return chain


def _next(left: list[_Step], before: Decimal | None) -> int:
    """Return which row goes on from a balance; at the very start, the one no other leads to."""
    for number, step in enumerate(left):
        start = step.balance - step.change
        if before is not None and abs(start - before) < _CLOSE:
            return number
    ends = [step.balance for step in left]
    for number, step in enumerate(left):
        start = step.balance - step.change
        others = ends[:number] + ends[number + 1 :]
        if all(abs(start - end) >= _CLOSE for end in others):
            return number
    return 0


def _by_kind(chain: Iterable[_Step], coin: str) -> _Sums:
    realised = funding = fees = trades = transfers = other = ZERO
    for record, change, _ in chain:
        fee = sum((fee.amount for fee in record.fees if fee.coin == coin), ZERO)
        fees -= fee
        moved = change + fee
        if record.kind is Kind.CONTRACT and record.label == "funding":
            funding += moved
        elif record.kind is Kind.CONTRACT:
            realised += moved
        elif record.kind is Kind.TRADE:
            trades += moved
        elif record.kind in (Kind.INTERNAL, Kind.DEPOSIT, Kind.WITHDRAWAL, Kind.EARN):
            transfers += moved
        else:
            other += moved
    return realised, funding, fees, trades, transfers, other
