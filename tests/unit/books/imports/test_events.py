"""Contracts and tax events: what records are worth, and what stays open."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from openalpha.books.imports.contracts import realise
from openalpha.books.imports.records import Kind, Record
from openalpha.books.imports.storing import Settlement
from openalpha.books.rate_chain import ChainedRates
from openalpha.books.rates import NO_RATES, Rate, RateTable
from openalpha.books.tax.amounts import exact
from openalpha.books.tax.entity import Policy
from openalpha.books.tax.events import Acquire, Derivative, Dispose, Event, Swap
from openalpha.books.tax.posting import TaxBook
from openalpha.core.clock import parse_ms
from tests.fakes.exports import read
from tests.fakes.imported import NOON_MS, bought, history, moves, record, told

# ---- contracts


def fill(
    qty: str, price: str, *, contract: str = "BTCUSDT", at: int = NOON_MS, **more: Any
) -> Record:
    return record(
        Kind.FILL, contract=contract, qty=Decimal(qty), price=Decimal(price), at=at,
        label=more.pop("label", "trade"), family="bybit derivatives trades", **more,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("contract", "fills", "profits"),
    [
        ("BTCUSDT", [("2", "100"), ("-2", "110")], ["0", "20"]),
        ("BTCUSDT", [("2", "100"), ("2", "110"), ("-1", "120")], ["0", "0", "15"]),
        ("BTCUSDT", [("-1", "105"), ("1", "100")], ["0", "5"]),
        ("BTCUSDT", [("1", "100"), ("-3", "110"), ("2", "100")], ["0", "10", "20"]),
        ("BTCUSD", [("100", "50"), ("-100", "100")], ["0", "1"]),
        ("BTCUSD", [("-100", "50"), ("100", "100")], ["0", "-1"]),
    ],
)
def test_profit_of_fills(contract: str, fills: list[tuple[str, str]], profits: list[str]) -> None:
    made = [fill(q, p, contract=contract, at=NOON_MS + n) for n, (q, p) in enumerate(fills)]
    found = realise(made)
    got = [r.moves[0].amount if r.moves else Decimal(0) for r in found.records]
    assert got == [Decimal(profit) for profit in profits]
    coin = "USDT" if contract == "BTCUSDT" else "BTC"
    assert {move.coin for r in found.records for move in r.moves} == {coin}
    assert not found.items


def test_a_liquidation_of_an_unknown_position_is_open_and_its_fee_counts() -> None:
    lone = fill("-10", "5", label="liquidation", fees=moves("0.03 USDT"))
    found = history(lone)
    assert [item.code for item in found.open_items] == ["missing_entry"]
    assert [told(e.kind, e.amount) for e in found.events if isinstance(e, Derivative)] == [
        ("fee", Decimal("-0.045"))
    ]
    loss = Settlement("lost", Decimal(80), "opened on the old account")
    settled = history(lone, settlements={lone.key: loss})
    assert [e.amount for e in settled.events if isinstance(e, Derivative)] == [-80]


# ---- events


def only(*records: Record) -> Event:
    (event,) = history(*records).events
    return event


def test_a_purchase_with_australian_dollars() -> None:
    event = only(bought("0.1 BTC, -16000 AUD", "16 AUD"))
    assert isinstance(event, Acquire)
    assert told(event.qty, event.cost, event.fee) == (Decimal("0.1"), 16_000, 16)
    assert told(event.day.isoformat() if event.day else "", event.wallet) == (
        "2025-08-01",
        "bybit unified",
    )


def test_the_day_is_the_taxpayers() -> None:
    late = parse_ms("2025-06-30T14:30")
    rates = RateTable([("BTC", "AUD", Rate(Decimal(9), "mine", late))])
    (event,) = history(bought("1 BTC, -9 AUD", at=late), rates=rates).events
    assert event.day is not None and event.day.isoformat() == "2025-07-01"


def test_a_swap_is_worth_what_was_received_else_what_was_given() -> None:
    event = only(bought("1 BTC, -90000 USDT", "0.001 BTC"))
    assert isinstance(event, Swap)
    assert told(event.value, event.out_asset, event.in_qty) == (150_000, "USDT", 1)
    assert event.coin_fee is not None and event.coin_fee.value == 150
    strange = only(bought("5 XYZ, -100 USDT"))
    assert isinstance(strange, Swap) and strange.value == 150


def test_a_sale_in_euros_is_valued_and_the_currency_asked_about() -> None:
    found = history(bought("-1 BTC, 80000 EUR", "2 EUR"))
    (event,) = found.events
    assert isinstance(event, Dispose)
    assert told(event.proceeds, event.fee) == (136_000, Decimal("3.4"))
    assert [told(item.code, item.key) for item in found.open_items] == [
        ("foreign_currency", "currency/EUR")
    ]


def test_contract_money_is_coins_too() -> None:
    found = history(
        record(Kind.CONTRACT, "-2 USDT", label="pnl", fees=moves("0.1 USDT"), contract="BTCUSDT")
    )
    got = [told(e.kind, e.amount, e.coin, e.qty) for e in found.events if isinstance(e, Derivative)]
    assert got == [
        ("pnl", -3, "USDT", -2),
        ("fee", Decimal("-0.15"), "USDT", Decimal("-0.1")),
    ]


def test_income_is_a_parcel_at_its_value() -> None:
    event = only(record(Kind.INCOME, "2 ETH", label="staking"))
    assert isinstance(event, Acquire)
    assert told(event.kind, event.cost, event.income) == ("staking", 8000, 8000)


def test_a_missing_rate_is_open_never_one() -> None:
    found = history(record(Kind.INCOME, "2 XYZ", label="airdrop"))
    (item,) = found.open_items
    (event,) = found.events
    assert item.code == "missing_rate" and isinstance(event, Acquire) and event.cost is None
    stated = {item.key: Settlement("ignore", Decimal(7), "the venue's own price")}
    settled = history(record(Kind.INCOME, "2 XYZ", label="airdrop"), settlements=stated)
    (event,) = settled.events
    assert isinstance(event, Acquire) and told(event.cost, event.income) == (7, 7)
    assert not settled.open_items


def test_an_unknown_row_is_open_by_file_and_line_and_can_be_a_purchase() -> None:
    card = record(Kind.UNKNOWN, "0.1 BTC", text="bought with a card", line=6)
    found = history(card)
    assert found.open_items[0].text == "a.csv, line 6: bought with a card"
    said = {card.key: Settlement("buy", Decimal(15_500), "card statement")}
    (event,) = history(card, settlements=said).events
    assert isinstance(event, Acquire) and told(event.cost, event.kind) == (15_500, "buy")


def test_principal_that_was_never_lent_is_asked_about() -> None:
    back = record(Kind.EARN, "2 ETH", at=NOON_MS + 5)
    lent = record(Kind.EARN, "-2 ETH")
    assert [i.code for i in history(back).open_items] == ["missing_subscription"]
    assert not history(lent, back).open_items


def test_a_move_between_accounts_needs_its_other_side() -> None:
    left = record(Kind.INTERNAL, "-2 ETH")
    came = record(Kind.INTERNAL, "2 ETH", account="funding", at=NOON_MS + 1000)
    assert not history(left, came).open_items
    assert [i.code for i in history(left).open_items] == ["missing_other_side"]


def test_a_stablecoin_is_priced_over_the_dollar_and_never_assumed() -> None:
    rows = [
        ("USDT", "USD", Rate(Decimal("0.998"), "market", NOON_MS)),
        ("USD", "AUD", Rate(Decimal("1.5"), "RBA", NOON_MS)),
    ]
    chain = ChainedRates(RateTable(rows))
    found = chain.rate("USDT", "AUD", ts_ms=NOON_MS)
    assert found is not None and (found.rate, found.source) == (Decimal("1.497"), "market × RBA")
    assert ChainedRates(RateTable(rows[1:])).rate("USDT", "AUD", ts_ms=NOON_MS) is None
    assert ChainedRates(NO_RATES).rate("USD", "AUD", ts_ms=NOON_MS) is None


def test_the_engine_reads_what_a_file_says(tmp_path: Path) -> None:
    header = "time,type,received_coin,received_amount,sent_coin,sent_amount,fee_coin,fee_amount\n"
    rows = (
        "2025-08-01T12:00:00+10:00,buy,BTC,1,AUD,1000,AUD,10\n"
        "2025-09-01T12:00:00+10:00,sell,AUD,600,BTC,0.4,AUD,6\n"
    )
    found = history(*read(tmp_path, header + rows).records)
    book = TaxBook(Policy())
    with exact():
        book.post(found.events)
        gains = [piece.gain for piece in book.slices]
    assert (gains, book.open_items, found.open_items) == ([190], [], [])
