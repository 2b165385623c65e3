"""Balances follow from row to row; the order of imports changes nothing."""

import random
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openalpha.books.imports.reconcile import reconcile
from openalpha.books.imports.records import Kind, Record
from tests.fakes.imported import NOON_MS, bought, history, moves, record, told

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
        assert told(check.opening, check.closing, check.stated, items) == (100, 101, 101, [])
        assert told(check.realised, check.fees, check.is_right) == (2, -1, True)


@pytest.mark.parametrize("start", ["100", "105"])
def test_there_and_back_in_one_instant_begins_where_the_last_row_ended(start: str) -> None:
    rows = [changed("1", start, at=NOON_MS - 1), changed("5", "105"), changed("-5", "100")]
    checks, items = reconcile(rows)
    assert (checks[0].is_right, items) == (True, [])


def test_a_gap_is_named_where_it_is() -> None:
    rows = [changed("5", "105"), changed("1", "107", at=NOON_MS + 1)]
    checks, items = reconcile(rows)
    assert told(checks[0].breaks, checks[0].is_right, checks[0].difference) == (1, False, 1)
    assert "balance is 107 USDT" in items[0].text and items[0].amount == 1
    checks, items = reconcile(rows, until_ms=NOON_MS + 1)
    assert checks[0].is_right and not items


def test_the_eighth_decimal_counts_and_the_ninth_does_not() -> None:
    for last, is_right in (("106.00000001", False), ("106.000000009", True)):
        rows = [changed("5", "105"), changed("1", last, at=NOON_MS + 1)]
        assert reconcile(rows)[0][0].is_right == is_right


def test_what_was_there_before_the_first_row_is_asked_about() -> None:
    found = history(changed("5", "105"))
    assert [told(i.code, i.key, i.amount) for i in found.open_items] == [
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
