"""Turns what the kernel or a venue did into entries: one effect, one entry."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from openalpha.books.accounts import Account, Category, contra_of
from openalpha.books.entries import Draft, EntryKind, FillDraft, Posting, Quote
from openalpha.books.positions import money_of
from openalpha.core.instruments import Instrument
from openalpha.core.messages import CashEffect, Fill

__all__ = ["RunEffects", "effect_draft", "mark_draft", "run_drafts"]


@dataclass(frozen=True, slots=True)
class RunEffects:
    """All that is posted of a run.

    Parameters
    ----------
    run_id : str
        Source of its entries, and its venue account: each run has cash of its own.
    start_ms : int
        When its account was opened, UTC ms.
    opening : mapping of coin to Decimal
        What the account began with, which is no effect.
    effects : iterable of CashEffect
    fills : iterable of Fill
    instruments : mapping of id to Instrument
    cash_decimals : mapping of coin to int
        Decimals each coin was booked in.
    marks : iterable of (ts_ms, {instrument: price})
        What instruments were worth from time to time, for the equity history.
    mark_source : str
        Who says so.
    """

    run_id: str
    start_ms: int
    opening: Mapping[str, Decimal]
    effects: Iterable[CashEffect]
    fills: Iterable[Fill]
    instruments: Mapping[str, Instrument]
    cash_decimals: Mapping[str, int]
    marks: Iterable[tuple[int, Mapping[str, Decimal]]] = field(default=())
    mark_source: str = ""


def effect_draft(effect: CashEffect, *, source: str, venue: str) -> Draft:
    """Return the entry of one cash effect, its amount as stated.

    Parameters
    ----------
    effect : CashEffect
    source : str
        Run or statement it comes from; with the effect's number it makes the key.
    venue : str
        The venue account whose balance changed.
    """
    amount = effect.amount
    cash = Account(venue, Category.CASH, effect.coin)
    against = Account(venue, contra_of(effect.kind), effect.coin, str(effect.instrument or ""))
    of_fill = "" if effect.fill_seq is None else f" of fill {effect.fill_seq}"
    return Draft(
        f"{source}/effect/{effect.seq}",
        EntryKind(int(effect.kind)),
        effect.ts_ms,
        source,
        (Posting(cash, amount), Posting(against, amount.copy_negate())),
        (),
        f"effect {effect.seq}{of_fill}",
    )


def mark_draft(
    marks: Mapping[str, tuple[str, Decimal]], *, ts_ms: int, venue: str, source: str
) -> Draft:
    """Return the entry that says what instruments were worth at a moment.

    Parameters
    ----------
    marks : mapping of instrument to (coin, price)
    venue : str
        The venue account they are for; with the moment it makes the key.
    source : str
        Who says so.
    """
    return Draft(
        key=f"{venue}/mark/{ts_ms}",
        kind=EntryKind.MARK,
        ts_ms=ts_ms,
        source=venue,
        quotes=tuple(
            Quote(name, coin, price, source, ts_ms) for name, (coin, price) in marks.items()
        ),
        ref="mark",
    )


def run_drafts(run: RunEffects) -> Iterator[Draft | FillDraft]:
    """Yield the entries of a run in order of time: opening, then each fill with its effects."""
    yield from _opening(run)
    fills = iter(run.fills)
    marks = iter(run.marks)
    fill, mark = next(fills, None), next(marks, None)
    for effect in run.effects:
        while mark is not None and mark[0] < effect.ts_ms:
            yield _mark(run, mark)
            mark = next(marks, None)
        while fill is not None and effect.fill_seq is not None and fill.seq <= effect.fill_seq:
            yield _fill(run, fill)
            fill = next(fills, None)
        yield effect_draft(effect, source=run.run_id, venue=run.run_id)
    while fill is not None:
        yield _fill(run, fill)
        fill = next(fills, None)
    while mark is not None:
        yield _mark(run, mark)
        mark = next(marks, None)


def _opening(run: RunEffects) -> Iterator[Draft]:
    for coin, amount in run.opening.items():
        if amount:
            lines = [(Category.CASH, amount), (Category.TRANSFER, amount.copy_negate())]
            yield Draft(
                key=f"{run.run_id}/opening/{coin}",
                kind=EntryKind.TRANSFER,
                ts_ms=run.start_ms,
                source=run.run_id,
                postings=tuple(
                    Posting(Account(run.run_id, category, coin), value) for category, value in lines
                ),
                ref="opening balance",
            )


def _fill(run: RunEffects, fill: Fill) -> FillDraft:
    instrument = run.instruments[str(fill.instrument)]
    return FillDraft(
        key=f"{run.run_id}/fill/{fill.seq}",
        source=run.run_id,
        ref=f"fill {fill.seq}",
        venue=run.run_id,
        fill=fill,
        instrument=instrument,
        cash_decimals=run.cash_decimals.get(money_of(instrument), instrument.cash_decimals),
    )


def _mark(run: RunEffects, mark: tuple[int, Mapping[str, Decimal]]) -> Draft:
    ts_ms, prices = mark
    quoted = {name: (money_of(run.instruments[name]), price) for name, price in prices.items()}
    return mark_draft(quoted, ts_ms=ts_ms, venue=run.run_id, source=run.mark_source)
