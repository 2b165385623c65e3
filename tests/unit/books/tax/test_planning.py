"""Estimates and plans: the tax a year adds, clocks of the discount, sales compared, losses."""

from datetime import date
from decimal import Decimal

import pytest

from openalpha.books.tax import Entity, Law, Policy, Refused, Treatment
from openalpha.books.tax.entity_year import assess_profile
from openalpha.books.tax.events import Acquire, Cost, Derivative, Dispose, Event, Money, Swap
from openalpha.books.tax.gains import BoundaryValue
from openalpha.books.tax.indexation import Cpi
from openalpha.books.tax.payable import YearTax, taxes_of
from openalpha.books.tax.planning import clocks, harvest, sale_days, sale_on
from openalpha.books.tax.portfolios import Choice
from openalpha.books.tax.profile import BroughtLoss, Profile
from openalpha.books.tax.tables import load_tables

D = Decimal
TABLES = load_tables()
TODAY = date(2026, 5, 20)


def held() -> list[Event]:
    return [
        Acquire("old", date(2024, 1, 1), "BTC", D(1), D(100)),
        Acquire("soon", date(2025, 5, 31), "BTC", D(1), D(100)),
        Acquire("young", date(2026, 5, 1), "ETH", D(2), D(600)),
    ]


def taxes(events: list[Event], **more: object) -> dict[int, YearTax]:
    return taxes_of(assess_profile(events, Profile("me", **more)), tables=TABLES)  # type: ignore[arg-type]


def income(amount: str, year: int = 2026, kind: str = "interest") -> Money:
    return Money(f"m{year}{amount}", date(year, 3, 1), D(amount), kind)


def test_tax_on_top_of_other_income_is_the_difference_of_two_returns() -> None:
    (year,) = taxes([income("10000")], other_income={2026: D(90000)}).values()
    assert (year.added, year.marginal) == (D(3200), D("0.32"))
    (small,) = taxes([income("10000")], other_income={2026: D(0)}).values()
    assert small.added == 0
    (offset,) = taxes([income("2000")], other_income={2026: D(40000)}).values()
    assert offset.added == D(2000) * (D("0.16") + D("0.02") + D("0.05"))


def test_unknown_income_takes_the_top_rate_and_says_so() -> None:
    (year,) = taxes([income("1000")]).values()
    assert (year.added, year.marginal) == (D(470), D("0.47"))
    assert "not stated" in year.basis


def test_a_loss_lowers_stated_income_and_is_carried_else() -> None:
    rows: list[Event] = [income("-1000", 2025, "fee"), income("3000", 2026)]
    stated = taxes(rows, other_income={2025: D(90000), 2026: D(90000)})
    assert stated[2025].added == D(-320)
    assert any("Division 35" in note for note in stated[2025].notes)
    bare = taxes(rows)
    assert (bare[2025].added, bare[2025].loss_carried) == (D(0), D(1000))
    assert (bare[2026].used, bare[2026].added) == (D(1000), D(940))
    poor = taxes(rows, other_income={2025: D(400), 2026: D(90000)})
    assert (poor[2025].added, poor[2025].loss_carried) == (D(0), D(600))
    brought = (BroughtLoss(2024, D(200), "revenue", "notice"),)
    assert taxes(rows, losses=brought)[2026].used == D(1200)


@pytest.mark.parametrize("other", [{}, {2025: D(90000), 2026: D(90000)}])
def test_a_loss_of_a_business_is_kept_unless_division_35_was_passed(
    other: dict[int, Decimal],
) -> None:
    rows: list[Event] = [income("-1000", 2025, "fee"), income("3000", 2026)]
    stock = Policy(treatment=Treatment.REVENUE_TRADING_STOCK)
    kept = taxes(rows, policy=stock, other_income=other)
    assert (kept[2025].result, kept[2025].added, kept[2025].loss_carried) == (0, 0, 1000)
    assert "business_loss_years" in kept[2025].notes[0]
    assert kept[2026].used == D(1000)
    assert "Medicare levy surcharge, HELP" in kept[2026].notes[-1]
    passed = taxes(rows, policy=stock, other_income=other, business_loss_years=frozenset({2025}))
    assert passed[2025].added == (D(-320) if other else 0)
    assert passed == taxes(rows, other_income=other), "as of no business"


def test_each_kind_of_entity_has_its_rate() -> None:
    for entity, added in ((Entity.SMSF, 150), (Entity.COMPANY, 300), (Entity.TRUST, 470)):
        (year,) = taxes([income("1000")], policy=Policy(entity=entity)).values()
        assert year.added == added
    (base,) = taxes(
        [income("1000", kind="trading")],
        policy=Policy(entity=Entity.COMPANY),
        turnover={2026: D(5000)},
    ).values()
    assert base.added == D(250)


def test_new_gains_bear_the_minimum_tax() -> None:
    events: list[Event] = [
        Acquire("b", date(2027, 8, 1), "BTC", D(1), D(1000)),
        Dispose("s", date(2028, 3, 1), "BTC", D(1), D(11000)),
    ]
    (year,) = taxes(events, other_income={2028: D(20000)}).values()
    assert year.minimum_gap == D(10000) * D("0.3") - D(10000) * D("0.14")
    (free,) = taxes(events, other_income={2028: D(20000)}, support_years=frozenset({2028})).values()
    assert free.minimum_gap == 0
    assert year.added - free.added == year.minimum_gap


def test_the_clock_counts_days_to_the_discount() -> None:
    found = assess_profile(held(), Profile("me"))
    rows = clocks(found, {"BTC": D(250)}, day=TODAY)
    assert [(row.parcel.id, row.words, row.gain) for row in rows] == [
        ("old", "discount due", D(150)),
        ("soon", "12 more days", D(150)),
        ("young", "347 more days", None),
    ]
    assert rows[1].eligible == date(2026, 6, 1)
    eve = clocks(found, {}, day=date(2026, 5, 31))
    assert eve[1].words == "1 more day"


@pytest.mark.parametrize(
    "policy",
    [Policy(entity=Entity.COMPANY), Policy(treatment=Treatment.REVENUE_TRADING_STOCK)],
)
def test_where_there_is_no_discount_there_is_no_clock(policy: Policy) -> None:
    found = assess_profile(held(), Profile("me", policy))
    assert {row.words for row in clocks(found, {}, day=TODAY)} == {"no discount"}


def test_costs_of_owning_lower_a_gain_but_never_make_a_loss() -> None:
    events = [*held(), Cost("c", date(2026, 1, 1), "BTC", 3, D(40))]
    found = assess_profile(events, Profile("me"))
    for price, gain in (("110", D(0)), ("150", D(30)), ("90", D(-10))):
        rows = clocks(found, {"BTC": D(price)}, day=TODAY)
        assert [row.gain for row in rows[:2]] == [gain, gain]


def test_a_sale_is_compared_with_the_days_discounts_fall_due() -> None:
    profile = Profile("me", other_income={2026: D(90000)})
    rows = clocks(assess_profile(held(), profile), {}, day=TODAY)
    days = sale_days(rows, "BTC", day=TODAY)
    assert days == [TODAY, date(2026, 6, 1)]
    now, later = sale_on(held(), profile, sale=("BTC", D(2), D(1100)), days=days, tables=TABLES)
    assert (now.gain, now.long_gain) == (D(2000), D(1000))
    assert (later.gain, later.long_gain) == (D(2000), D(2000))
    assert (now.tax, later.tax) == (D(1500) * D("0.32"), D(1000) * D("0.32"))
    assert later.kept == D(2200) - later.tax
    assert now.parcels == (("old", D(1)), ("soon", D(1)))


def test_a_sale_costs_only_what_it_adds_to_what_was_realised() -> None:
    events = [*held(), income("5000"), Dispose("e", date(2026, 5, 2), "ETH", D(1), D(2300))]
    profile = Profile("me", other_income={2026: D(90000)})
    (sale,) = sale_on(events, profile, sale=("BTC", D(1), D(1100)), days=[TODAY], tables=TABLES)
    assert sale.tax == D(500) * D("0.32")


def test_a_sale_uses_losses_and_may_fall_into_another_year() -> None:
    losses = (BroughtLoss(2024, D(400), "capital", "notice"),)
    profile = Profile("me", losses=losses)
    days = [TODAY, date(2027, 5, 1)]
    now, later = sale_on(held(), profile, sale=("BTC", D(1), D(1100)), days=days, tables=TABLES)
    assert now.tax == later.tax == (D(1000) - 400) / 2 * D("0.47")


def test_a_planned_sale_after_the_reform_knows_the_new_law() -> None:
    law = Law({"BTC": BoundaryValue(D(600))}, Cpi(fixed=D(1)))
    (sale,) = sale_on(
        held(),
        Profile("me"),
        sale=("BTC", D(1), D(1100)),
        days=[date(2028, 8, 1)],
        tables=TABLES,
        law=law,
    )
    assert sale.tax == (D(500) / 2 + 500) * D("0.47")


def test_more_than_is_held_cannot_be_sold() -> None:
    with pytest.raises(Refused, match="1 of them are not held"):
        sale_on(held(), Profile("me"), sale=("BTC", D(3), D(1)), days=[TODAY], tables=TABLES)


def test_a_portfolio_sells_its_own_coins() -> None:
    bot = Acquire("bot", date(2026, 1, 1), "BTC", D(1), D(50), strategy="bot")
    choice = Choice("bot", Treatment.REVENUE_TRADING_STOCK, date(2025, 7, 1), "business", "me")
    profile = Profile("me", choices=(choice,))
    (sale,) = sale_on(
        [*held(), bot],
        profile,
        sale=("BTC", D(1), D(150)),
        days=[TODAY],
        tables=TABLES,
        portfolio="bot",
    )
    assert (sale.gain, sale.tax) == (D(100), D(100) * D("0.47"))


def test_losses_held_are_listed_with_what_was_bought_near() -> None:
    long = Derivative("perp", date(2026, 5, 19), "open", D(0), contract="ETHUSDT", side=1)
    swap = Swap("w", date(2026, 4, 1), "BTC", D("0.1"), "ETH", D(1), D(400))
    events: list[Event] = [*held(), long, swap]
    found = assess_profile(events, Profile("me"))
    rows = clocks(found, {"BTC": D(90), "ETH": D(200)}, day=TODAY)
    eth, btc = harvest(rows, events, day=TODAY)
    assert (eth.asset, eth.qty, eth.loss, eth.recent) == ("ETH", D(3), D(400), ("young", "perp"))
    assert eth.buy_back_from == date(2026, 6, 20)
    assert (btc.asset, btc.loss, btc.recent) == ("BTC", D("0.9") * 10 + 10, ())
    assert harvest(clocks(found, {}, day=TODAY), events, day=TODAY) == []
