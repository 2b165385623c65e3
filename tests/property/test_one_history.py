"""The ledger and files of several families together: the order they come in changes nothing."""

import random
from dataclasses import replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from openalpha.books.imports.records import OWN_FAMILY, Kind, Record, keyed
from openalpha.books.tax import Policy, assess
from tests.fakes.imported import NOON_MS, history, record

FAMILIES = ("bybit transaction log", "bybit spot trades", OWN_FAMILY)


@st.composite
def facts(draw: st.DrawFn) -> list[Record]:
    """Purchases, sales, income and withdrawals, each told by one to three families."""
    found: list[Record] = []
    for number in range(draw(st.integers(1, 8))):
        at = NOON_MS + number * 300_000 + draw(st.integers(0, 3)) * 1_000
        qty = Decimal(draw(st.integers(1, 40))) / 100
        kind = draw(st.sampled_from(["buy", "sell", "income", "out"]))
        if kind == "income":
            made = record(Kind.INCOME, f"{qty} ETH", at=at, label="staking")
        elif kind == "out":
            made = record(Kind.WITHDRAWAL, f"{-qty} BTC", at=at)
        else:
            sign = 1 if kind == "buy" else -1
            text = f"{sign * qty} BTC, {-sign * qty * 100_000} USDT"
            made = record(Kind.TRADE, text, at=at, label=kind)
        told = FAMILIES if kind in ("buy", "sell") else FAMILIES[:1]
        families = draw(st.lists(st.sampled_from(told), min_size=1, unique=True))
        for family in families:
            late = draw(st.integers(0, 20_000))
            fresh = replace(made, family=family, ts_ms=at + late, line=number, key="")
            found += keyed([fresh])
    return found


@given(facts(), st.randoms(use_true_random=False))
def test_order_of_records_changes_no_event_and_no_item(
    records: list[Record], shuffler: random.Random
) -> None:
    mixed = list(records)
    shuffler.shuffle(mixed)
    one, other = history(*records), history(*mixed)
    assert one.events == other.events
    assert sorted(one.open_items) == sorted(other.open_items)
    assert one.aside == other.aside


@given(facts())
def test_a_fact_told_several_times_counts_once(records: list[Record]) -> None:
    """What only the fullest family of each fact says comes to the same quantities."""
    every = history(*records)
    best: dict[tuple[int, Kind], Record] = {}
    rank = {OWN_FAMILY: 0, FAMILIES[0]: 1, FAMILIES[1]: 2}
    for one in sorted(records, key=lambda item: rank[item.family]):
        best.setdefault((one.line, one.kind), one)
    alone = history(*best.values())
    assert [event.id for event in every.events] == [event.id for event in alone.events]
    held = [
        {p.asset: p.left for p in assess(found.events, Policy()).parcels}
        for found in (every, alone)
    ]
    assert held[0] == held[1]
