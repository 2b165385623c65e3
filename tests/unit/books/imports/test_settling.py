"""What coins were by a person's word, and coins that come without income."""

from decimal import Decimal

import pytest

from openalpha.books.imports.records import Kind
from openalpha.books.imports.storing import WAYS, Settlement
from openalpha.books.tax import Policy, assess
from tests.fakes.imported import DAY_MS, NOON_MS, bought, history, record

D = Decimal
LATER = NOON_MS + DAY_MS


@pytest.mark.parametrize("label", ["chain_split", "airdrop_initial"])
def test_split_off_coins_have_no_income_and_no_cost(label: str) -> None:
    found = history(record(Kind.INCOME, "3 NEW", label=label))
    assert found.open_items == [], "no rate is needed"
    (parcel,) = assess(found.events, Policy()).parcels
    assert (parcel.asset, parcel.left, parcel.cost, parcel.kind) == ("NEW", D(3), D(0), label)


def test_a_deposit_of_split_off_coins_costs_nothing() -> None:
    row = record(Kind.DEPOSIT, "3 NEW")
    found = history(row, settlements={row.key: Settlement("split", None, "the fork of July")})
    done = assess(found.events, Policy())
    assert (done.open_items, done.revenue) == ((), ())
    assert [(p.cost, p.kind) for p in done.parcels] == [(D(0), "chain_split")]


@pytest.mark.parametrize(("cost", "gain"), [("9000", D(0)), ("30000", D(7500))])
def test_coins_spent_on_oneself_have_no_gain_if_they_were_cheap(cost: str, gain: Decimal) -> None:
    own = {"venue": "generic", "account": "", "family": "openalpha"}
    spent = record(Kind.WITHDRAWAL, "-0.25 BTC", at=LATER, line=3, **own)
    rows = (bought(f"0.25 BTC, -{cost} AUD", **own), spent)
    said = {spent.key: Settlement("personal", D(37_500), "a bicycle")}
    found = history(*rows, settlements=said)
    done = assess(found.events, Policy())
    assert sum(row.amount for row in done.gains) == gain
    assert all(piece.is_personal_use for piece in done.slices)


def test_every_way_makes_an_event_or_none_of_what_left() -> None:
    for way in WAYS:
        row = record(Kind.WITHDRAWAL, "-0.25 BTC")
        found = history(row, settlements={row.key: Settlement(way, D(5), "why")})
        assert [item.code for item in found.open_items] == [], way
        assert bool(found.events) == (way not in ("own", "ignore")), way
