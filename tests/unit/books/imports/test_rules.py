"""Merging and matching: one fact counts once, and what left is found where it arrived."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from openalpha.books.imports.merging import merge
from openalpha.books.imports.records import Kind, Record, keyed
from openalpha.books.imports.storing import Settlement
from openalpha.books.imports.transfers import match_transfers
from openalpha.books.tax.events import Dispose, Moved
from tests.fakes.imported import DAY_MS, NOON_MS, bought, history, moves, record, told

# ---- keys


def test_a_key_says_what_the_row_says_and_nothing_else() -> None:
    one = record(Kind.DEPOSIT, "1.50 BTC")
    same = record(Kind.DEPOSIT, "1.5000 BTC")
    again, third = keyed([one, replace(one, line=9, file="b.csv")])
    assert one.key == same.key == again.key
    assert third.key != again.key
    assert record(Kind.DEPOSIT, "1.51 BTC").key != one.key


# ---- merging


def test_a_trade_in_two_kinds_of_file_counts_once() -> None:
    logged = bought("1 BTC, -100 USDT")
    listed = bought("1 BTC, -100 USDT", family="bybit spot trades", at=NOON_MS - 20_000)
    twice = bought("1 BTC, -100 USDT", family="bybit spot trades", at=NOON_MS - 10_000)
    merged = merge([listed, twice, logged])
    assert [r.family for r in merged.records] == ["bybit spot trades", "bybit unified changes"]
    assert len(merged.aside) == 1
    later = bought("1 BTC, -100 USDT", family="bybit spot trades", at=NOON_MS + 61_000)
    assert not merge([logged, later]).aside
    assert not merge([logged, replace(listed, venue="okx")]).aside


def test_two_equal_trades_of_one_kind_of_file_are_two() -> None:
    one, other = bought("1 BTC, -100 USDT", ref="1"), bought("1 BTC, -100 USDT", ref="2")
    assert len(merge([one, other]).records) == 2


def test_the_chain_id_of_a_withdrawal_goes_to_the_row_that_is_kept() -> None:
    moved = record(Kind.WITHDRAWAL, "-5 USDT", family="bybit funding changes")
    listed = record(
        Kind.WITHDRAWAL, "-5.000 USDT", family="bybit deposits and withdrawals",
        at=NOON_MS - 60_000, ref="0xabc",
    )  # fmt: skip
    merged = merge([listed, moved])
    assert [(r.family, r.ref) for r in merged.records] == [("bybit funding changes", "0xabc")]


def test_closed_profits_are_set_aside_only_where_fills_cover_them() -> None:
    fills = [
        record(Kind.CONTRACT, "1 USDT", at=NOON_MS + d, contract="BTCUSDT", qty=Decimal(1),
               price=Decimal(2 + d), label="pnl")
        for d in (0, 1000)
    ]  # fmt: skip
    closed = [
        record(Kind.CONTRACT, "1 USDT", at=NOON_MS + d, contract="BTCUSDT", qty=Decimal(1),
               price=Decimal(9), family="bybit closed pnl", label="pnl")
        for d in (500, 2000)
    ]  # fmt: skip
    merged = merge(fills + closed)
    assert [r.ts_ms - NOON_MS for r in merged.aside] == [500]


def test_half_a_trade_at_the_end_of_a_file_is_set_aside_when_another_has_the_whole() -> None:
    whole = bought(
        "1 BTC, -100 USDT", net=moves("1 BTC, -100 USDT"), balances=moves("1 BTC, 7 USDT")
    )
    half = record(Kind.UNKNOWN, "1 BTC", net=moves("1 BTC"), balances=moves("1 BTC"))
    assert merge([half, whole]).aside == [half]
    assert merge([half]).aside == []


# ---- transfers


def out(text: str, **more: Any) -> Record:
    return record(Kind.WITHDRAWAL, text, **more)


def into(text: str, **more: Any) -> Record:
    return record(Kind.DEPOSIT, text, venue="kraken", account="spot", family="x", **more)


@pytest.mark.parametrize(
    ("left", "fee", "arrived", "delay_ms", "is_match"),
    [
        ("-1 BTC", "", "1 BTC", 0, True),
        ("-1 BTC", "", "0.96 BTC", DAY_MS, True),
        ("-1 BTC", "0.001 BTC", "1 BTC", DAY_MS, True),
        ("-1 BTC", "", "0.94 BTC", DAY_MS, False),
        ("-1 BTC", "", "1.1 BTC", DAY_MS, False),
        ("-1 BTC", "", "1 ETH", DAY_MS, False),
        ("-1 BTC", "", "1 BTC", 4 * DAY_MS, False),
        ("-1 BTC", "", "1 BTC", -2 * 3_600_000, False),
    ],
)
def test_what_left_is_matched_with_what_arrived(
    left: str, fee: str, arrived: str, delay_ms: int, is_match: bool
) -> None:
    found = match_transfers([out(left, fees=moves(fee)), into(arrived, at=NOON_MS + delay_ms)])
    assert len(found.transfers) == is_match
    assert len(found.alone) == (0 if is_match else 2)


def test_the_same_transaction_on_the_chain_matches_for_certain() -> None:
    chain = "0xABCDEF0123456789"
    wrong = into("1 BTC", at=NOON_MS + 1000)
    right = into("0.9 BTC", at=NOON_MS + 9 * DAY_MS, ref=chain.lower())
    found = match_transfers([out("-1 BTC", ref=chain), wrong, right])
    assert found.transfers[0].into == right
    assert found.alone == [wrong]


def test_the_nearest_deposit_is_taken_and_each_once() -> None:
    near, far = into("1 BTC", at=NOON_MS + 1000), into("0.99 BTC", at=NOON_MS + 500)
    found = match_transfers([out("-1 BTC"), far, near])
    assert told(found.transfers[0].into, found.alone) == (near, [far])


def test_a_transfer_moves_parcels_and_its_fee_is_valued() -> None:
    found = history(out("-1 BTC"), into("0.999 BTC", at=NOON_MS + 1000))
    (event,) = found.events
    assert isinstance(event, Moved)
    assert told(event.qty, event.received, event.fee_value) == (1, Decimal("0.999"), 150)
    assert told(event.source, event.target) == ("bybit unified", "kraken spot")
    assert not found.open_items


def test_an_unmatched_transfer_is_open_until_it_is_settled() -> None:
    gone = out("-1 BTC")
    found = history(gone)
    assert [told(i.code, i.key, i.amount) for i in found.open_items] == [
        ("unmatched_withdrawal", gone.key, -1)
    ]
    assert "a.csv, line 2" in found.open_items[0].text
    assert not found.events
    sold = Settlement("sell", Decimal(140_000), "paid a friend")
    settled = history(gone, settlements={gone.key: sold})
    assert told(settled.open_items, len(settled.settled)) == ([], 1)
    (event,) = settled.events
    assert isinstance(event, Dispose)
    assert told(event.qty, event.proceeds, event.kind) == (1, 140_000, "A1")
    own = history(gone, settlements={gone.key: Settlement("own", None, "cold wallet")})
    assert told(own.open_items, own.events) == ([], [])


def test_money_from_the_bank_is_no_event() -> None:
    found = history(into("500 AUD"), out("-20 AUD"))
    assert told(found.events, found.open_items) == ([], [])
