"""Our own ledger as records: what explains itself, what is asked about, and what counts once."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from openalpha.books.accounts import Account, Book, Category
from openalpha.books.effects import effect_draft
from openalpha.books.entries import Draft, EntryKind, FillDraft, Posting
from openalpha.books.imports.history import ImportedHistory, imported_history
from openalpha.books.imports.own_books import own_book
from openalpha.books.imports.records import Kind, Record
from openalpha.books.ledger import Ledger
from openalpha.books.manual import (
    adjustment,
    entry_of,
    open_counts,
    reversal,
    transfer,
    value_open_items,
)
from openalpha.books.rates import NO_RATES, Rate, RateTable
from openalpha.books.tax import Policy, assess
from openalpha.books.tax.events import Acquire, Derivative, Swap
from openalpha.core.clock import ManualClock
from openalpha.core.instruments import Instrument, StepRule, instrument_id
from openalpha.core.instruments import Kind as InstrumentKind
from openalpha.core.messages import CashEffect, EffectKind, Environment
from openalpha.core.orders import Side
from openalpha.store.database import open_database
from tests.fakes.books import NOON_MS, filled, linear
from tests.fakes.imported import moves, record

LIVE = Book(Environment.LIVE, "me")
SPOT = Instrument(
    instrument_id("bybit_spot", "BTCUSDT"), InstrumentKind.SPOT, "BTC", "USDT", "USDT", 2, 3,
    (StepRule(0, Decimal("0.01"), Decimal("0.001")),),
)  # fmt: skip
RATES = RateTable(
    [("USDT", "AUD", Rate(Decimal("1.5"), "test", 0)),
     ("BTC", "AUD", Rate(Decimal(90_000), "test", 0))],
    carry_ms=2**60,
)  # fmt: skip
MAIN = "bybit:main"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    found = Ledger(open_database(tmp_path / "books.sqlite"), ManualClock(NOON_MS), RATES)
    yield found
    found.database.close()


def told(
    ledger: Ledger, *imported: Record, book: Book = LIVE, rates: RateTable = RATES
) -> ImportedHistory:
    own = own_book(ledger.database, book)
    zone = ZoneInfo("Australia/Sydney")
    return imported_history([*own.records, *imported], rates=rates, zone=zone, stated=own.rates)


def paid(
    seq: int, amount: str, kind: EffectKind, *, coin: str = "USDT", fill: int | None = None,
    of: Instrument | None = None, at: int = 0,
) -> Draft:  # fmt: skip
    name = None if of is None else of.id
    effect = CashEffect(seq, NOON_MS + at, 0, coin, Decimal(amount), kind, name, fill)
    return effect_draft(effect, source="test", venue=MAIN)


def spot_buy(at: int = 3) -> Sequence[Draft | FillDraft]:
    """Buy 0.1 BTC for 6,000 USDT with a fee of 0.0001 BTC, as posted; there was USDT before."""
    return [
        paid(0, "10000", EffectKind.TRANSFER),
        filled(at, "0.1", "60000", instrument=SPOT, fee="0.0001", fee_coin="BTC"),
        paid(1, "0.1", EffectKind.TRADE, coin="BTC", fill=at, of=SPOT, at=at),
        paid(2, "-6000", EffectKind.TRADE, fill=at, of=SPOT, at=at),
        paid(3, "-0.0001", EffectKind.FEE, coin="BTC", fill=at, of=SPOT, at=at),
    ]


def codes(history: ImportedHistory) -> list[str]:
    return sorted(item.code for item in history.open_items)


def test_a_spot_fill_is_one_swap_with_its_fee(ledger: Ledger) -> None:
    ledger.post(LIVE, spot_buy())
    history = told(ledger)
    (swap,) = history.events
    assert isinstance(swap, Swap)
    assert (swap.out_asset, swap.out_qty, swap.in_asset, swap.in_qty) == (
        "USDT", Decimal(6000), "BTC", Decimal("0.1"),
    )  # fmt: skip
    assert swap.value == Decimal(9000)
    assert swap.coin_fee is not None
    assert (swap.coin_fee.asset, swap.coin_fee.qty) == ("BTC", Decimal("0.0001"))
    assert codes(history) == ["unmatched_deposit"], "where the money came from nobody said"
    source = history.sources[swap.id]
    assert source.where == "the book live/me, entry 2"
    assert {(c.coin, c.closing, c.is_right) for c in history.checks} == {
        ("USDT", Decimal(4000), True), ("BTC", Decimal("0.0999"), True),
    }  # fmt: skip


def test_money_of_contracts_is_stated_by_kind(ledger: Ledger) -> None:
    perp = linear()
    ledger.post(
        LIVE,
        [
            filled(1, "1", "60000", instrument=perp, fee="3"),
            paid(0, "-3", EffectKind.FEE, fill=1, of=perp, at=1),
            paid(1, "-0.7", EffectKind.FUNDING, of=perp, at=2),
            filled(3, "-1", "61000", instrument=perp, fee="4"),
            paid(2, "1000", EffectKind.REALISED_PNL, fill=3, of=perp, at=3),
            paid(3, "-4", EffectKind.FEE, fill=3, of=perp, at=3),
            paid(4, "2", EffectKind.INTEREST, at=4),
            paid(5, "5", EffectKind.REWARD, at=5),
        ],
    )
    history = told(ledger)
    money = [(e.kind, e.amount, e.side) for e in history.events if isinstance(e, Derivative)]
    assert money == [
        ("fee", Decimal("-4.5"), Side.BUY), ("funding", Decimal("-1.05"), 0),
        ("pnl", Decimal(1500), Side.SELL), ("fee", Decimal(-6), Side.SELL),
    ]  # fmt: skip
    earned = [(e.kind, e.income) for e in history.events if isinstance(e, Acquire)]
    assert earned == [("interest", Decimal(3)), ("reward", Decimal("7.5"))]
    assert codes(history) == []


def test_what_has_no_meaning_is_asked_about(ledger: Ledger) -> None:
    at = NOON_MS + 9
    found = adjustment(venue=MAIN, coin="USDT", amount=Decimal(7), ts_ms=at, memo="found it")
    ledger.post(LIVE, [found, paid(0, "-1", EffectKind.FEE)])
    history = told(ledger)
    assert history.events == []
    assert codes(history) == ["unknown_row", "unknown_row"]
    assert any("found it" in item.text for item in history.open_items)


def test_a_missing_rate_is_an_open_item_until_it_is_valued(ledger: Ledger) -> None:
    ledger.rates = NO_RATES
    ledger.post(LIVE, spot_buy()[1:])
    history = told(ledger)
    assert "missing_rate" in codes(history), "the rates of files value no entry"
    assert "openalpha ledger value" in history.open_items[-1].text
    assert open_counts(ledger.database, LIVE) == {"BTC": 2, "USDT": 1}
    value_open_items(ledger, LIVE, rates=RATES)
    again = told(ledger)
    assert codes(again) == []
    assert [event.value for event in again.events if isinstance(event, Swap)] == [Decimal(9000)]


def test_nothing_made_up_values_real_money(ledger: Ledger) -> None:
    made_up = [("USDT", "AUD", Rate(Decimal(2), "SYNTHETIC close", 0))]
    ledger.rates = RateTable(made_up, carry_ms=2**60)
    played = Book(Environment.PAPER, "me")
    for book in (LIVE, played):
        ledger.post(book, [paid(0, "5", EffectKind.REWARD)])
    assert open_counts(ledger.database, LIVE) == {"USDT": 1}
    assert open_counts(ledger.database, played) == {}
    assert value_open_items(ledger, LIVE, rates=ledger.rates).added == 0
    assert codes(told(ledger)) == ["missing_rate"]


def test_a_corrected_entry_counts_for_nothing(ledger: Ledger) -> None:
    ledger.post(LIVE, [paid(0, "5", EffectKind.REWARD), paid(1, "6", EffectKind.REWARD)])
    wrong = entry_of(ledger.database, LIVE, seq=1)
    ledger.post(LIVE, [reversal(wrong, memo="not ours")])
    history = told(ledger)
    assert [e.income for e in history.events if isinstance(e, Acquire)] == [Decimal(9)]
    undone = entry_of(ledger.database, LIVE, seq=3)
    ledger.post(LIVE, [reversal(undone, memo="it was ours after all")])
    again = told(ledger)
    assert sum(e.income for e in again.events if isinstance(e, Acquire)) == Decimal("16.5")


def test_what_a_simulated_account_opens_with_was_bought_that_day(ledger: Ledger) -> None:
    played = Book(Environment.PAPER, "me")
    cash, outside = (Account("run", c, "USDT") for c in (Category.CASH, Category.TRANSFER))
    opening = Draft(
        key="run/opening/USDT", kind=EntryKind.TRANSFER, ts_ms=NOON_MS, source="run",
        postings=(Posting(cash, Decimal(100)), Posting(outside, Decimal(-100))),
        ref="opening balance",
    )  # fmt: skip
    for book in (LIVE, played):
        ledger.post(book, [opening])
    (bought,) = told(ledger, book=played).events
    assert isinstance(bought, Acquire)
    assert (bought.qty, bought.cost, bought.kind) == (Decimal(100), Decimal(150), "buy")
    real = told(ledger)
    assert real.events == []
    assert codes(real) == ["opening_balance"], "real money came from somewhere"
    assert "run held 100 USDT before the first row" in real.open_items[0].text


def test_a_trade_made_here_and_imported_counts_once(ledger: Ledger) -> None:
    ledger.post(LIVE, spot_buy())
    same = record(
        Kind.TRADE, "0.1 BTC, -6000 USDT", at=NOON_MS + 20_000, venue="bybit", label="buy",
        fees=moves("0.0001 BTC"), family="bybit spot trades",
    )  # fmt: skip
    history = told(ledger, same)
    assert len(history.events) == 1
    assert history.sources[history.events[0].id].file == "the book live/me"
    assert history.aside == 1
    elsewhere = told(ledger, record(Kind.TRADE, "0.1 BTC, -6000 USDT", venue="kraken", label="buy"))
    assert len(elsewhere.events) == 2


def test_imported_trades_between_our_own_are_asked_about(ledger: Ledger) -> None:
    ledger.post(LIVE, [*spot_buy(), *second_buy()])
    between = record(
        Kind.TRADE, "0.05 BTC, -3000 USDT", at=NOON_MS + 1_000_000, venue="bybit", label="buy"
    )
    assert "beside_ledger" in codes(told(ledger, between))
    after = record(
        Kind.TRADE, "0.05 BTC, -3000 USDT", at=NOON_MS + 3_000_000, venue="bybit", label="buy"
    )
    assert "beside_ledger" not in codes(told(ledger, after))


def second_buy() -> Sequence[Draft | FillDraft]:
    at = 2_000_000
    return [
        filled(77, "0.1", "50000", instrument=SPOT, at=NOON_MS + at),
        paid(11, "0.1", EffectKind.TRADE, coin="BTC", fill=77, of=SPOT, at=at),
        paid(12, "-5000", EffectKind.TRADE, fill=77, of=SPOT, at=at),
    ]


def test_a_withdrawal_of_ours_meets_its_deposit_elsewhere(ledger: Ledger) -> None:
    ledger.post(LIVE, [*spot_buy(), paid(9, "-0.05", EffectKind.TRANSFER, coin="BTC", at=50)])
    arrived = record(Kind.DEPOSIT, "0.0495 BTC", at=NOON_MS + 600_000, venue="kraken")
    history = told(ledger, arrived)
    assert [(t.left, t.arrived) for t in history.transfers] == [
        (Decimal("0.05"), Decimal("0.0495"))
    ]
    assert codes(history) == ["unmatched_deposit"]


def stated(key: str, amount: str, kind: EffectKind, *, coin: str, of: Instrument) -> Draft:
    """Return an effect as a venue's statement has it: of no fill, in a run's account."""
    effect = CashEffect(0, NOON_MS, 0, coin, Decimal(amount), kind, of.id, None)
    draft = effect_draft(effect, source="run 9", venue="run 9")
    return draft._replace(key=key, ref=f"effect {key}")


def test_a_venues_own_statement_makes_trades_without_numbers_of_fills(ledger: Ledger) -> None:
    perp = linear()
    ledger.post(
        LIVE,
        [
            filled(1, "0.2", "60000", instrument=SPOT, venue="run 9", at=NOON_MS)._replace(
                source="run 9", ref="execution x1"
            ),
            stated("1", "0.2", EffectKind.TRADE, coin="BTC", of=SPOT),
            stated("2", "0.3", EffectKind.TRADE, coin="BTC", of=SPOT),
            stated("3", "-12000", EffectKind.TRADE, coin="USDT", of=SPOT),
            stated("4", "-0.0002", EffectKind.FEE, coin="BTC", of=SPOT),
            stated("5", "-18000", EffectKind.TRADE, coin="USDT", of=SPOT),
            stated("6", "-0.0003", EffectKind.FEE, coin="BTC", of=SPOT),
            stated("7", "40", EffectKind.REALISED_PNL, coin="USDT", of=perp),
            stated("8", "-2", EffectKind.FEE, coin="USDT", of=perp),
        ],
    )
    same = record(
        Kind.TRADE, "0.3 BTC, -18000 USDT", at=NOON_MS + 30, venue="bybit", label="buy",
        fees=moves("0.0003 BTC"), family="bybit spot trades",
    )  # fmt: skip
    history = told(ledger, same)
    assert history.aside == 1, "the account of a run is known by its exchange"
    swaps = [e for e in history.events if isinstance(e, Swap)]
    assert [(s.in_qty, s.out_qty, s.coin_fee and s.coin_fee.qty) for s in swaps] == [
        (Decimal("0.2"), Decimal(12000), Decimal("0.0002")),
        (Decimal("0.3"), Decimal(18000), Decimal("0.0003")),
    ]
    money = [(e.kind, e.amount) for e in history.events if isinstance(e, Derivative)]
    assert money == [("pnl", Decimal(60)), ("fee", Decimal(-3))]
    assert all(check.is_right for check in history.checks)
    assert codes(history) == [], "an execution whose money stands apart asks nothing"


def test_both_ends_of_an_own_transfer_are_one_move(ledger: Ledger) -> None:
    move = transfer(
        coin="BTC", amount=Decimal("0.02"), ts_ms=NOON_MS + 60, source=MAIN, target="bybit:sub"
    )
    ledger.post(LIVE, [*spot_buy(), move])
    history = told(ledger)
    assert [(t.out.account, t.into.account) for t in history.transfers] == [("main", "sub")]
    found = assess(history.events, Policy())
    assert sum(p.left for p in found.parcels if p.asset == "BTC") == Decimal("0.0999")


def test_facts_of_one_instant_keep_the_order_they_were_posted_in(ledger: Ledger) -> None:
    drafts = [paid(0, "5", EffectKind.REWARD), paid(1, "-3", EffectKind.FUNDING, of=linear())]
    for seq in range(2, 8):
        drafts.append(paid(seq, "1" if seq % 2 else "-1", EffectKind.FUNDING, of=linear()))
    ledger.post(LIVE, drafts)
    history = told(ledger)
    lines = [history.sources[event.id.partition(".")[0]].line for event in history.events]
    assert lines == list(range(1, 9))
