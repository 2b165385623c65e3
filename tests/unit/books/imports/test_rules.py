"""Merging, matching, profits of fills, balances and tax events: the rules, one idea a case."""

import random
from dataclasses import replace
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openalpha.books.imports.contracts import realise
from openalpha.books.imports.history import ImportedHistory, imported_history
from openalpha.books.imports.merging import merge
from openalpha.books.imports.reconcile import reconcile
from openalpha.books.imports.records import Kind, Move, Record, keyed
from openalpha.books.imports.storing import Settlement
from openalpha.books.imports.transfers import match_transfers
from openalpha.books.rate_chain import ChainedRates
from openalpha.books.rates import NO_RATES, Rate, RateTable
from openalpha.books.tax.events import Acquire, Derivative, Dispose, Event, Moved, Swap
from openalpha.core.clock import parse_ms

DAY_MS = 86_400_000
NOON_MS = parse_ms("2025-08-01T12:00")
SYDNEY = ZoneInfo("Australia/Sydney")
RATES = RateTable(
    [(coin, "AUD", Rate(Decimal(rate), "mine", NOON_MS - DAY_MS))
     for coin, rate in (("BTC", "150000"), ("USDT", "1.5"), ("ETH", "4000"), ("EUR", "1.7"))]
)  # fmt: skip


def moves(text: str) -> tuple[Move, ...]:
    found = (part.split() for part in text.split(",") if part.strip())
    return tuple(Move(coin, Decimal(amount)) for amount, coin in found)


def record(kind: Kind, moved: str = "", *, at: int = NOON_MS, **more: object) -> Record:
    made = Record("bybit", "unified", "bybit unified changes", at, kind, moves(moved))
    made = replace(made, **{"file": "a.csv", "line": 2, **more})  # type: ignore[arg-type]
    return made if made.key else keyed([made])[0]


def history(*records: Record, **more: object) -> ImportedHistory:
    given_rates = {"rates": RATES, "zone": SYDNEY, **more}
    return imported_history(records, **given_rates)  # type: ignore[arg-type]


def bought(text: str, fee: str = "", **more: object) -> Record:
    label = "buy" if moves(text)[0].amount > 0 else "sell"
    return record(Kind.TRADE, text, fees=moves(fee), label=label, **more)


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


def out(text: str, **more: object) -> Record:
    return record(Kind.WITHDRAWAL, text, **more)


def into(text: str, **more: object) -> Record:
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
    assert (found.transfers[0].into, found.alone) == (near, [far])


def test_a_transfer_moves_parcels_and_its_fee_is_valued() -> None:
    found = history(out("-1 BTC"), into("0.999 BTC", at=NOON_MS + 1000))
    (event,) = found.events
    assert isinstance(event, Moved)
    assert (event.qty, event.received, event.fee_value) == (1, Decimal("0.999"), 150)
    assert (event.source, event.target) == ("bybit unified", "kraken spot")
    assert not found.open_items


def test_an_unmatched_transfer_is_open_until_it_is_settled() -> None:
    gone = out("-1 BTC")
    found = history(gone)
    assert [(i.code, i.key, i.amount) for i in found.open_items] == [
        ("unmatched_withdrawal", gone.key, -1)
    ]
    assert "a.csv, line 2" in found.open_items[0].text
    assert not found.events
    sold = Settlement("sell", Decimal(140_000), "paid a friend")
    settled = history(gone, settlements={gone.key: sold})
    assert (settled.open_items, len(settled.settled)) == ([], 1)
    (event,) = settled.events
    assert isinstance(event, Dispose)
    assert (event.qty, event.proceeds, event.kind) == (1, 140_000, "A1")
    own = history(gone, settlements={gone.key: Settlement("own", None, "cold wallet")})
    assert (own.open_items, own.events) == ([], [])


def test_money_from_the_bank_is_no_event() -> None:
    found = history(into("500 AUD"), out("-20 AUD"))
    assert (found.events, found.open_items) == ([], [])


# ---- contracts


def fill(qty: str, price: str, *, contract: str = "BTCUSDT", at: int = NOON_MS, **more: object):  # type: ignore[no-untyped-def]
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
    assert [(e.kind, e.amount) for e in found.events if isinstance(e, Derivative)] == [
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
    assert (event.qty, event.cost, event.fee) == (Decimal("0.1"), 16_000, 16)
    assert (event.day.isoformat() if event.day else "", event.wallet) == (
        "2025-08-01",
        "bybit unified",
    )


def test_the_day_is_the_taxpayers() -> None:
    late = parse_ms("2025-06-30T14:30")
    rates = RateTable([("BTC", "AUD", Rate(Decimal(9), "mine", late))])
    (event,) = history(bought("1 BTC, -9 AUD", at=late), rates=rates).events
    assert event.day is not None and event.day.isoformat() == "2025-07-01"


def test_a_swap_is_worth_what_was_received_else_what_was_given() -> None:
    event = only(bought("1 BTC, -100000 USDT", "0.001 BTC"))
    assert isinstance(event, Swap)
    assert (event.value, event.out_asset, event.in_qty) == (150_000, "USDT", 1)
    assert event.coin_fee is not None and event.coin_fee.value == 150
    strange = only(bought("5 XYZ, -100 USDT"))
    assert isinstance(strange, Swap) and strange.value == 150


def test_a_sale_in_euros_is_valued_and_the_currency_asked_about() -> None:
    found = history(bought("-1 BTC, 80000 EUR", "2 EUR"))
    (event,) = found.events
    assert isinstance(event, Dispose)
    assert (event.proceeds, event.fee) == (136_000, Decimal("3.4"))
    assert [(item.code, item.key) for item in found.open_items] == [
        ("foreign_currency", "currency/EUR")
    ]


def test_contract_money_is_coins_too() -> None:
    found = history(
        record(Kind.CONTRACT, "-2 USDT", label="pnl", fees=moves("0.1 USDT"), contract="BTCUSDT")
    )
    got = [(e.kind, e.amount, e.coin, e.qty) for e in found.events if isinstance(e, Derivative)]
    assert got == [
        ("pnl", -3, "USDT", -2),
        ("fee", Decimal("-0.15"), "USDT", Decimal("-0.1")),
    ]


def test_income_is_a_parcel_at_its_value() -> None:
    event = only(record(Kind.INCOME, "2 ETH", label="staking"))
    assert isinstance(event, Acquire)
    assert (event.kind, event.cost, event.income) == ("staking", 8000, 8000)


def test_a_missing_rate_is_open_never_one() -> None:
    found = history(record(Kind.INCOME, "2 XYZ", label="airdrop"))
    (item,) = found.open_items
    (event,) = found.events
    assert item.code == "missing_rate" and isinstance(event, Acquire) and event.cost is None
    stated = {item.key: Settlement("ignore", Decimal(7), "the venue's own price")}
    settled = history(record(Kind.INCOME, "2 XYZ", label="airdrop"), settlements=stated)
    (event,) = settled.events
    assert isinstance(event, Acquire) and (event.cost, event.income) == (7, 7)
    assert not settled.open_items


def test_an_unknown_row_is_open_by_file_and_line_and_can_be_a_purchase() -> None:
    card = record(Kind.UNKNOWN, "0.1 BTC", text="bought with a card", line=6)
    found = history(card)
    assert found.open_items[0].text == "a.csv, line 6: bought with a card"
    said = {card.key: Settlement("buy", Decimal(15_500), "card statement")}
    (event,) = history(card, settlements=said).events
    assert isinstance(event, Acquire) and (event.cost, event.kind) == (15_500, "buy")


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


# ---- balances


def changed(change: str, balance: str, *, at: int = NOON_MS, fee: str = "") -> Record:
    net = moves(f"{change} USDT")
    gross = net[0].amount + sum((f.amount for f in moves(fee)), Decimal(0))
    return record(
        Kind.CONTRACT, f"{gross} USDT", at=at, label="pnl", net=net, fees=moves(fee),
        balances=moves(f"{balance} USDT"),
    )  # fmt: skip


def test_balances_of_one_instant_are_put_in_the_order_that_fits() -> None:
    rows = [changed("5", "105"), changed("-1", "104", fee="1 USDT"), changed("-4", "100")]
    rows.append(changed("1", "101", at=NOON_MS + 1))
    for _ in range(6):
        random.Random(len(rows)).shuffle(rows)
        checks, items = reconcile(rows)
        (check,) = checks
        assert (check.opening, check.closing, check.stated, items) == (100, 101, 101, [])
        assert (check.realised, check.fees, check.is_right) == (2, -1, True)


def test_a_gap_is_named_where_it_is() -> None:
    rows = [changed("5", "105"), changed("1", "107", at=NOON_MS + 1)]
    checks, items = reconcile(rows)
    assert (checks[0].breaks, checks[0].is_right, checks[0].difference) == (1, False, 1)
    assert "balance is 107 USDT" in items[0].text and items[0].amount == 1
    checks, items = reconcile(rows, until_ms=NOON_MS + 1)
    assert checks[0].is_right and not items


def test_the_eighth_decimal_counts_and_the_ninth_does_not() -> None:
    for last, is_right in (("106.00000001", False), ("106.000000009", True)):
        rows = [changed("5", "105"), changed("1", last, at=NOON_MS + 1)]
        assert reconcile(rows)[0][0].is_right == is_right


def test_what_was_there_before_the_first_row_is_asked_about() -> None:
    found = history(changed("5", "105"))
    assert [(i.code, i.key, i.amount) for i in found.open_items] == [
        ("opening_balance", "opening/bybit/unified/USDT", 100)
    ]


# ---- order

_SOME = st.lists(
    st.tuples(
        st.sampled_from(["1 BTC, -100 USDT", "-1 BTC, 90 USDT", "2 ETH, -1 BTC"]),
        st.integers(0, 3),
        st.sampled_from(["bybit unified changes", "bybit spot trades"]),
    ),
    max_size=8,
)


@given(_SOME, st.randoms(use_true_random=False))
def test_the_order_of_imports_changes_nothing(
    rows: list[tuple[str, int, str]], shuffle: random.Random
) -> None:
    made = [
        bought(text, at=NOON_MS + step * 40_000, family=family, ref=str(n))
        for n, (text, step, family) in enumerate(rows)
    ]
    first = history(*made)
    shuffle.shuffle(made)
    again = history(*made)
    assert again.events == first.events
    assert again.open_items == first.open_items
