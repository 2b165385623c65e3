"""Revenue treatments, companies, trusts, rates, wash sales, labels, explanations."""

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from openalpha.books.tax import (
    BoundaryValue,
    CarryIn,
    Entity,
    Law,
    Method,
    Policy,
    Treatment,
    assess,
)
from openalpha.books.tax.amounts import exact
from openalpha.books.tax.assessment import both_treatments
from openalpha.books.tax.companies import company_tax, is_base_rate_entity
from openalpha.books.tax.entity import Refused, Residency, StockValue, parse_method
from openalpha.books.tax.events import (
    Acquire,
    CoinFee,
    Cost,
    Derivative,
    Dispose,
    Event,
    StatedGain,
)
from openalpha.books.tax.explain import explain
from openalpha.books.tax.gains import classify, old_law_totals, summed_gains
from openalpha.books.tax.indexation import Cpi, index_factor
from openalpha.books.tax.labels import cgt_labels, label_texts, needs_schedule
from openalpha.books.tax.losses import five_steps
from openalpha.books.tax.revenue import profit_scheme, trading_stock
from openalpha.books.tax.rules import MARKS, RULES
from openalpha.books.tax.tables import load_tables
from openalpha.books.tax.trusts import TrustGain, attribute, gross_up

D = Decimal


def rows() -> list[Event]:
    return [
        Acquire("b1", date(2024, 8, 1), "BTC", D(2), D(200), D(4)),
        Dispose("s1", date(2025, 9, 1), "BTC", D(1), D(150), D(3)),
        Dispose("s2", date(2026, 8, 1), "BTC", D("0.5"), D(40), D(1)),
    ]


def test_a_profit_scheme_has_no_discount_and_deducts_its_loss() -> None:
    found = assess(rows(), Policy(treatment=Treatment.REVENUE_PROFIT_SCHEME))
    assert found.years[2026].income == D(45)
    assert found.years[2027].deductions == D(12)
    assert not found.gains
    assert profit_scheme(found.slices)[2026].result == D(45)


@pytest.mark.parametrize(
    ("value", "closings"),
    [
        (StockValue.COST, ["204", "102", "51"]),
        (StockValue.MARKET, ["300", "160", "30"]),
        (StockValue.REPLACEMENT, ["300", "160", "30"]),
    ],
)
def test_trading_stock_adds_up(value: StockValue, closings: list[str]) -> None:
    prices = {"BTC@2024-25": D(150), "BTC@2025-26": D(160), "BTC@2026-27": D(60)}
    policy = Policy(stock_value=value, stock_prices=prices)
    years = trading_stock(rows(), policy)
    assert [row.closing for row in years] == [D(text) for text in closings]
    assert [row.opening for row in years[1:]] == [row.closing for row in years[:-1]]
    assert sum((row.purchases for row in years), D(0)) == D(204)
    assert sum((row.sales for row in years), D(0)) == D(186)
    whole = sum((row.result for row in years), D(0))
    assert whole == D(186) - D(204) + D(closings[-1])


def test_trading_stock_at_cost_equals_the_profit_scheme() -> None:
    fee = CoinFee("BTC", D("0.01"), D(1))
    events = [*rows(), Acquire("b2", date(2026, 8, 2), "BTC", D(1), D(100), coin_fee=fee)]
    scheme = assess(events, Policy(treatment=Treatment.REVENUE_PROFIT_SCHEME))
    stock = assess(events, Policy(treatment=Treatment.REVENUE_TRADING_STOCK))
    for year, result in stock.years.items():
        other = scheme.years.get(year)
        mine = sum((row.amount for row in result.revenue), D(0))
        assert mine == (sum((row.amount for row in other.revenue), D(0)) if other else 0)


def test_a_price_that_stock_needs_must_be_stated() -> None:
    with pytest.raises(Refused, match="BTC@2024-25"):
        trading_stock(rows(), Policy(stock_value=StockValue.MARKET))


def test_both_treatments_stand_side_by_side() -> None:
    found = both_treatments(rows(), Policy())
    assert found[Treatment.CAPITAL].years[2026].statement.net == D("22.5")
    assert found[Treatment.REVENUE_PROFIT_SCHEME].years[2026].income == D(45)
    assert set(found) == set(Treatment)


@pytest.mark.parametrize(
    ("turnover", "share", "is_base"),
    [
        ("49999999", "0.80", True),
        ("50000000", "0.1", False),
        ("1", "0.81", False),
        (None, "0", False),
    ],
)
def test_base_rate_entity(turnover: str | None, share: str, is_base: bool) -> None:
    stated = None if turnover is None else D(turnover)
    tables = load_tables()
    assert is_base_rate_entity(stated, D(share), tables=tables, year=2026) is is_base


def test_a_companys_loss_is_carried_not_refunded() -> None:
    tax = company_tax(D(-500), is_base_rate=False, tables=load_tables(), year=2026)
    assert (tax.tax, tax.taxable_income, tax.loss_carried) == (D(0), D(0), D(500))


def test_levy_and_offset() -> None:
    tables = load_tables()
    assert tables.medicare_levy(D(28011), 2026) == 0
    assert tables.medicare_levy(D(29011), 2026) == D(100)
    assert tables.medicare_levy(D(100000), 2026) == D(2000)
    assert tables.low_income_offset(D(30000)) == D(700)
    assert tables.low_income_offset(D(45000)) == D(325)
    assert tables.low_income_offset(D(90000)) == 0
    with pytest.raises(Refused):
        tables.scale(2020)
    assert all(text.endswith("]") for text in tables.as_rows().values())


def test_a_trust_keeps_the_discounted_part_and_grosses_it_up() -> None:
    gain = TrustGain(D(80000), D(80000), True, "deferred_non_residential")
    new = TrustGain(D(100000), D(120000), False, "non_residential")
    half = D("0.5")
    shares = {"person": (Entity.INDIVIDUAL, half), "pty": (Entity.COMPANY, half)}
    person, company = attribute([gain, new], shares, losses={"person": D(15000)})
    assert person.attributable == (D(20000), D(50000))
    assert person.statement.net == (D(40000) - 15000) / 2 + 50000
    assert (company.extra_gain, company.statement.net) == (D(100000), D(100000))
    with pytest.raises(Refused, match="more than the whole"):
        attribute([gain], {"a": (Entity.INDIVIDUAL, D("0.6")), "b": (Entity.COMPANY, half)})
    with pytest.raises(Refused, match="not known"):
        gross_up(D(1), ["magic"])


def test_a_long_perpetual_near_a_loss_is_flagged() -> None:
    loss: list[Event] = [
        Acquire("b", date(2024, 7, 1), "BTC", D(1), D(100)),
        Dispose("s", date(2025, 6, 20), "BTC", D(1), D(60)),
    ]
    day = date(2025, 7, 1)
    long = Derivative("p", day, "open", D(0), contract="BTCUSDT", side=1)
    short = Derivative("p", day, "open", D(0), contract="BTCUSDT", side=-1)
    assert [flag.bought for flag in assess([*loss, long], Policy()).wash] == [("p",)]
    assert not assess([*loss, short], Policy()).wash
    assert not assess(loss, Policy()).wash


@pytest.mark.parametrize(
    ("days", "is_flagged"), [(-31, False), (-30, True), (30, True), (31, False)]
)
def test_the_wash_window_runs_both_ways(days: int, is_flagged: bool) -> None:
    sold = date(2025, 6, 1)
    events: list[Event] = [
        Acquire("b", date(2024, 7, 1), "BTC", D(1), D(100)),
        Dispose("s", sold, "BTC", D(1), D(60)),
        Acquire("c", sold + timedelta(days=days), "BTC", D(1), D(60)),
    ]
    assert bool(assess(events, Policy()).wash) is is_flagged


def test_an_index_number_that_is_missing_is_an_open_item() -> None:
    events: list[Event] = [
        Acquire("b", date(2027, 8, 1), "BTC", D(1), D(100)),
        Dispose("s", date(2029, 2, 1), "BTC", D(1), D(150)),
    ]
    found = assess(events, Policy())
    assert [item.code for item in found.open_items] == ["missing_cpi"]
    assert found.years[2029].statement.net == D(50)
    cpi = Cpi({"2027-09": D(100), "2029-03": D("104.04")})
    known = assess(events, Policy(), law=Law(cpi=cpi))
    assert known.years[2029].statement.net == D(46)
    assert not known.open_items
    with pytest.raises(Refused, match="2029-03"):
        Cpi().factor(date(2027, 7, 1), date(2029, 1, 1))
    assert index_factor(D(90), D(100)) == 1
    with pytest.raises(Refused):
        index_factor(D(1), D(0))


def test_improvements_are_indexed_from_their_own_quarter() -> None:
    events: list[Event] = [
        Acquire("b", date(2020, 1, 1), "BTC", D(1), D(100)),
        Cost("c", date(2028, 2, 1), "BTC", 4, D(10)),
        Cost("o", date(2028, 2, 1), "BTC", 3, D(5)),
        Dispose("s", date(2029, 2, 1), "BTC", D(1), D(300), D(2)),
    ]
    cpi = Cpi({"2027-09": D(100), "2028-03": D(102), "2029-03": D(105)})
    law = Law({"BTC": BoundaryValue(D(200))}, cpi)
    found = assess(events, Policy(), law=law)
    old, new = found.gains
    assert (old.amount, old.is_discountable) == (D(100), True)
    assert new.cost_base == D(200) * D("1.050") + D(10) * D("1.029") + 5 + 2
    assert found.years[2029].statement.minimum_tax_gain == new.amount


def test_a_resident_of_part_of_the_time_gets_no_deemed_sale() -> None:
    events: list[Event] = [
        Acquire("b", date(2020, 1, 1), "BTC", D(1), D(100)),
        Dispose("s", date(2029, 2, 1), "BTC", D(1), D(300)),
    ]
    away = Policy(residency=(Residency("foreign", date(2028, 1, 1), date(2028, 2, 1)),))
    found = assess(events, away, law=Law({"BTC": BoundaryValue(D(200))}))
    assert [(gain.amount, gain.rule) for gain in found.gains] == [(D(200), "short_hold")]


def test_companies_and_funds_know_no_boundary() -> None:
    events: list[Event] = [
        Acquire("b", date(2020, 1, 1), "BTC", D(1), D(100)),
        Dispose("s", date(2029, 2, 1), "BTC", D(1), D(400)),
    ]
    for entity, net in ((Entity.COMPANY, 300), (Entity.SMSF, 200)):
        found = assess(events, Policy(entity=entity))
        assert round(found.years[2029].statement.net, 6) == net
        assert not found.open_items


def test_quick_sums_equal_the_rows() -> None:
    policy = Policy()
    found = assess([*rows(), StatedGain("g", date(2025, 8, 1), D(5))], policy)
    with exact():
        whole = classify(found.slices, policy, law=Law(), open_items=[])
        totals = summed_gains(found.slices, policy, law=Law(), open_items=[])
        one, other = (five_steps(g, discount=D("0.5")) for g in (whole, totals))
        assert (one.net, one.gross, one.current_losses) == (
            other.net,
            other.gross,
            other.current_losses,
        )
    straddling = [piece._replace(day=date(2028, 1, 1)) for piece in found.slices]
    assert old_law_totals(straddling, policy) is None


def test_locked_years_keep_their_order() -> None:
    events: list[Event] = [
        Acquire("a", date(2024, 8, 1), "BTC", D(1), D(100)),
        Acquire("b", date(2024, 9, 1), "BTC", D(1), D(150)),
        Dispose("s", date(2024, 10, 1), "BTC", D(1), D(160)),
    ]
    free = assess(events, Policy(method=Method.MIN_TAX))
    assert [piece.lot for piece in free.slices] == ["b"]
    fifo = free.methods[2025]._replace(method=Method.FIFO)
    kept = assess(events, Policy(method=Method.MIN_TAX), locked={2025: fifo})
    assert [piece.lot for piece in kept.slices] == ["a"]


@pytest.mark.parametrize("name", ["average", "ACB", "pooled", "average-cost"])
def test_average_cost_is_refused(name: str) -> None:
    with pytest.raises(Refused, match="method not permitted"):
        parse_method(name)


def test_labels_of_every_entity_and_the_schedule() -> None:
    statement = assess(rows(), Policy(), carry_in=CarryIn(((2020, D(5)),))).years[2026].statement
    for entity in Entity:
        labels = cgt_labels(statement, entity)
        assert set(label_texts(entity)) <= set(labels)
        assert labels["6A"] == labels["1J"] - labels["2E"] - labels["4A"] == statement.net
    assert not needs_schedule(statement, Entity.TRUST)
    large = five_steps((), ((2020, D(5)),), discount=D(0))
    assert not needs_schedule(large, Entity.COMPANY)


def test_an_explanation_names_parcels_rules_and_sources() -> None:
    found = assess(rows(), Policy())
    lines = "\n".join(explain(found, "s1"))
    assert "parcel b1" in lines
    assert "reached on 2025-09-01" in lines
    assert "source: ITAA 1997 ss 115-25" in lines
    label = "\n".join(explain(found, "18A", year=2026))
    assert "22.50" in label
    assert "s1 of b1: 45.00" in label
    for wrong, year in (("nothing", None), ("18A", 1990)):
        with pytest.raises(Refused):
            explain(found, wrong, year=year)


def test_every_rule_has_a_known_mark() -> None:
    assert {rule.mark for rule in RULES.values()} <= set(MARKS)


def test_the_engine_reads_no_file_and_no_clock() -> None:
    import openalpha.books.tax as package

    root = Path(package.__file__).parent
    forbidden = ("open(", "time.time", "datetime.now", "date.today", "importlib", "os.environ")
    for path in root.glob("*.py"):
        text = path.read_text("utf-8")
        assert not [word for word in forbidden if word in text], path.name
        assert "float(" not in text, path.name
