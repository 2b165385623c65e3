"""Fees, rebates, transfers, residency, agreements: one rule a test, small numbers."""

from datetime import date
from decimal import Decimal

import pytest

from openalpha.books.tax import Entity, Method, Policy, Refused, assess
from openalpha.books.tax.entity import Residency
from openalpha.books.tax.events import (
    Acquire,
    CoinFee,
    Cost,
    Derivative,
    Dispose,
    Event,
    ForexItem,
    Money,
    Moved,
    StatedGain,
    Swap,
)

D = Decimal
BOUGHT = date(2024, 7, 1)
SOLD = date(2025, 8, 1)


def buy(name: str = "b1", qty: str = "1", cost: str = "100", **more: object) -> Acquire:
    day = more.pop("day", BOUGHT)
    return Acquire(name, day, more.pop("asset", "BTC"), D(qty), D(cost), **more)  # type: ignore[arg-type]


def sell(name: str = "s1", qty: str = "1", aud: str = "150", **more: object) -> Dispose:
    day = more.pop("day", SOLD)
    return Dispose(name, day, more.pop("asset", "BTC"), D(qty), D(aud), **more)  # type: ignore[arg-type]


def gains(events: list[Event], policy: Policy | None = None) -> list[Decimal]:
    return [piece.gain for piece in assess(events, policy or Policy()).slices]


def test_a_rebate_lowers_cost_and_raises_proceeds_or_is_income() -> None:
    events: list[Event] = [buy(fee=D(-2)), sell(fee=D(-3))]
    assert gains(events) == [D(55)]
    found = assess(events, Policy(rebates="income"))
    assert [piece.gain for piece in found.slices] == [D(50)]
    assert [(row.kind, row.amount) for row in found.revenue] == [("rebate", D(2)), ("rebate", D(3))]


def test_a_fee_in_a_third_coin_is_a_disposal_and_a_cost() -> None:
    events: list[Event] = [
        buy("f", "10", "10", asset="BNB"),
        buy(coin_fee=CoinFee("BNB", D(1), D(4)), day=date(2024, 7, 2)),
        sell(coin_fee=CoinFee("BNB", D(2), D(6))),
    ]
    found = {piece.disposal: piece.gain for piece in assess(events, Policy()).slices}
    assert found == {"b1.fee": D(3), "s1": D(150 - 100 - 4 - 6), "s1.fee": D(4)}


def test_a_fee_in_the_coin_sold_leaves_the_pool_too() -> None:
    events: list[Event] = [buy(qty="2", cost="200"), sell(coin_fee=CoinFee("BTC", D("0.5"), D(75)))]
    found = assess(events, Policy())
    assert [(p.disposal, p.gain) for p in found.slices] == [("s1", D(-25)), ("s1.fee", D(25))]
    assert [parcel.left for parcel in found.parcels] == [D("0.5")]


def test_a_fee_in_the_coin_received_sits_on_what_is_left() -> None:
    swap = Swap(
        "w1", SOLD, "BTC", D(1), "ETH", D(10), D(200), coin_fee=CoinFee("ETH", D("0.5"), D(10))
    )
    found = assess([buy(), swap], Policy())
    assert [(p.disposal, p.gain) for p in found.slices] == [("w1", D(100)), ("w1.fee", D(0))]
    assert [(p.qty, p.cost) for p in found.parcels] == [(D("9.5"), D(200))]


def test_wallets_are_matched_apart_only_if_chosen() -> None:
    events: list[Event] = [
        buy("old", cost="10", wallet="hot"),
        buy("new", cost="90", wallet="cold", day=date(2024, 8, 1)),
        sell(wallet="cold"),
    ]
    assert gains(events) == [D(140)]
    assert gains(events, Policy(per_wallet=True)) == [D(60)]


def test_a_move_takes_date_and_cost_along() -> None:
    moved = Moved("m1", date(2025, 1, 1), "BTC", D(1), D(1), None, None, "hot", "cold")
    events: list[Event] = [buy(wallet="hot"), moved, sell(wallet="cold")]
    found = assess(events, Policy(per_wallet=True))
    assert [(p.lot, p.acquired, p.gain) for p in found.slices] == [("b1", BOUGHT, D(50))]
    assert found.gains[0].is_discountable


@pytest.mark.parametrize(("deposit", "count"), [("transfer", 0), ("disposal", 1)])
def test_a_deposit_is_a_disposal_only_by_setting(deposit: str, count: int) -> None:
    moved = Moved("m1", SOLD, "BTC", D(1), D(1), to_derivatives=True, value=D(130))
    found = assess([buy(), moved], Policy(venue_deposit=deposit))
    assert [piece.gain for piece in found.slices] == [D(30)] * count


def test_an_early_agreement_loses_the_discount() -> None:
    assert assess([buy(), sell()], Policy()).gains[0].is_discountable
    agreed = sell(agreed=date(2024, 12, 1))
    assert not assess([buy(), agreed], Policy()).gains[0].is_discountable


@pytest.mark.parametrize(
    ("entity", "net"),
    [
        (Entity.INDIVIDUAL, "25"),
        (Entity.TRUST, "25"),
        (Entity.COMPANY, "50"),
        (Entity.SMSF, "33.33"),
    ],
)
def test_each_entity_has_its_discount(entity: Entity, net: str) -> None:
    found = assess([buy(), sell()], Policy(entity=entity))
    assert round(found.years[2026].statement.net, 2) == D(net)


def test_a_temporary_resident_is_referred_and_gets_no_discount() -> None:
    away = Residency("temporary", date(2025, 1, 1), date(2025, 2, 1))
    found = assess([buy(), sell()], Policy(residency=(away,)))
    assert not found.gains[0].is_discountable
    assert [item.code for item in found.open_items] == ["refer_residency"]
    before = Residency("foreign", date(2010, 1, 1), date(2012, 5, 8))
    assert assess([buy(), sell()], Policy(residency=(before,))).gains[0].is_discountable


def test_specific_parcels_then_first_in() -> None:
    events: list[Event] = [
        buy("a", cost="10"),
        buy("b", cost="90", day=date(2024, 8, 1)),
        sell(qty="1.5", lots=(("b", D(1)),)),
    ]
    found = assess(events, Policy(method=Method.SPECIFIC))
    assert [(p.lot, p.qty) for p in found.slices] == [("b", D(1)), ("a", D("0.5"))]


def test_carried_losses_are_used_oldest_first() -> None:
    events: list[Event] = [
        StatedGain("l1", date(2023, 8, 1), D(-70)),
        StatedGain("l2", date(2024, 8, 1), D(-50)),
        StatedGain("g", date(2025, 8, 1), D(100)),
    ]
    years = assess(events, Policy()).years
    assert years[2025].statement.carried == ((2024, D(70)), (2025, D(50)))
    assert years[2026].statement.carried == ((2025, D(20)),)
    assert years[2026].statement.net == 0


def test_a_perpetual_on_capital_account_folds_everything_in() -> None:
    rows: list[Event] = [
        Derivative("p", SOLD, "pnl", D(100)),
        Derivative("f", SOLD, "fee", D(-3)),
        Derivative("u", SOLD, "funding", D(5)),
    ]
    revenue = assess(rows, Policy())
    assert (revenue.years[2026].income, revenue.years[2026].deductions) == (D(105), D(3))
    capital = assess(rows, Policy(derivatives="capital", funding_received="proceeds"))
    assert capital.years[2026].statement.net == D(102)
    mixed = assess(rows, Policy(derivatives="capital")).years[2026]
    assert (mixed.statement.net, mixed.income) == (D(97), D(5))


def test_coins_paid_for_a_perpetual_are_disposals() -> None:
    rows: list[Event] = [
        Derivative("p", date(2025, 8, 1), "pnl", D(150), coin="USDT", qty=D(100)),
        Derivative("f", date(2025, 8, 2), "fee", D(-16), coin="USDT", qty=D(-10)),
    ]
    found = assess(rows, Policy())
    assert [(p.disposal, p.lot, p.gain) for p in found.slices] == [("f.paid", "p", D(1))]
    assert [(p.left, p.cost_left) for p in found.parcels] == [(D(90), D(135))]


def test_forex_moves_are_capital_or_revenue() -> None:
    rows: list[Event] = [
        ForexItem("k", SOLD, D(-400), is_capital=True),
        ForexItem("r", SOLD, D(30), is_capital=False),
    ]
    year = assess(rows, Policy()).years[2026]
    assert (year.statement.carried_forward, year.income) == (D(400), D(30))
    assert year.gains[0].category == "K11"


@pytest.mark.parametrize(
    ("events", "code"),
    [
        ([sell()], "missing_acquisition"),
        ([Acquire("b", BOUGHT, "BTC", D(1), None)], "missing_cost"),
        ([buy(), Dispose("s", SOLD, "BTC", D(1), None)], "missing_value"),
        ([buy(), Swap("w", SOLD, "BTC", D(1), "X", D(1), None)], "missing_value"),
        ([buy(), sell(coin_fee=CoinFee("BTC", D(0), None))], "missing_value"),
        ([buy(), Moved("m", SOLD, "BTC", D(1), D("0.9"))], "missing_value"),
        ([Cost("c", SOLD, "BTC", 3, D(1))], "nothing_held"),
        ([buy(), buy()], "duplicate_id"),
    ],
)
def test_what_is_missing_is_an_open_item(events: list[Event], code: str) -> None:
    found = assess(events, Policy())
    assert code in [item.code for item in found.open_items]
    assert found.status == "incomplete"


@pytest.mark.parametrize(
    "event",
    [
        sell(qty="0"),
        sell(qty="-1"),
        buy(qty="-1"),
        Moved("m", SOLD, "BTC", D(1), D(2)),
        Cost("c", SOLD, "BTC", 6, D(1)),
        sell(is_personal_use=True),
        sell(is_personal_use=True, reason="paid for a bicycle", wallet="bybit spot"),
    ],
)
def test_what_makes_no_sense_is_refused(event: Event) -> None:
    with pytest.raises(Refused):
        assess([buy("b0"), event], Policy())


def test_money_alone_is_income_or_deduction() -> None:
    rows: list[Event] = [Money("i", SOLD, D(10), "interest"), Money("d", SOLD, D(-4), "fee")]
    year = assess(rows, Policy()).years[2026]
    assert (year.income, year.deductions) == (D(10), D(4))


def test_a_later_cost_sits_on_what_is_left() -> None:
    events: list[Event] = [
        buy(qty="2", cost="200"),
        sell("s1"),
        Cost("c", date(2025, 9, 1), "BTC", 4, D(30)),
        sell("s2", day=date(2025, 10, 1)),
    ]
    assert gains(events) == [D(50), D(20)]


def test_min_tax_prefers_the_discount_where_it_is_worth_more() -> None:
    events: list[Event] = [
        buy("long", cost="100", day=date(2023, 1, 1)),
        buy("short", cost="120", day=date(2025, 7, 2)),
        sell(aud="200"),
    ]
    assert [p.lot for p in assess(events, Policy(method=Method.HIFO)).slices] == ["short"]
    assert [p.lot for p in assess(events, Policy(method=Method.MIN_TAX)).slices] == ["long"]


def test_min_tax_prefers_a_loss_over_a_discounted_gain() -> None:
    events: list[Event] = [
        buy("long", cost="100", day=date(2023, 1, 1)),
        buy("dear", cost="250", day=date(2025, 7, 2)),
        sell(aud="200"),
    ]
    assert [p.lot for p in assess(events, Policy(method=Method.MIN_TAX)).slices] == ["dear"]
