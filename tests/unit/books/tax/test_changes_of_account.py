"""A portfolio that changes its account: deemed events, parcels after it, and what is refused."""

from datetime import date
from decimal import Decimal

import pytest

from openalpha.books.tax import Assessment, Method, Policy, Refused, Treatment
from openalpha.books.tax.events import Acquire, Cost, Dispose, Event
from openalpha.books.tax.portfolios import Choice, PortfolioYear, assess_portfolios

D = Decimal
CHANGED = date(2025, 9, 1)
AFTER = " from 2025-09-01".strip()

Found = tuple[dict[str, Assessment], dict[int, PortfolioYear]]


def bought(day: date = date(2024, 8, 1), cost: str = "100") -> Acquire:
    return Acquire("b1", day, "BTC", D(2), D(cost))


def sold(name: str = "s1", qty: str = "2", aud: str = "400", year: int = 2026) -> Dispose:
    return Dispose(name, date(year, 8, 1), "BTC", D(qty), D(aud))


def found(
    events: list[Event], *account: Treatment, value: str = "market", unit: str = "90"
) -> Found:
    first, second = account
    choices = [Choice("", second, CHANGED, "a business now", "me", value, {"BTC": D(unit)})]
    return assess_portfolios(events, Policy(treatment=first), choices=choices)


CAPITAL, STOCK, SCHEME = (
    Treatment.CAPITAL,
    Treatment.REVENUE_TRADING_STOCK,
    Treatment.REVENUE_PROFIT_SCHEME,
)


def test_stock_at_market_value_is_event_k4_and_a_purchase() -> None:
    parts, years = found([bought(), sold()], CAPITAL, STOCK)
    (piece,) = parts[""].slices
    assert (piece.kind, piece.gain, piece.day) == ("K4", D(80), CHANGED)
    assert years[2026].statement.net == D(40)  # held twelve months: the discount is kept
    assert years[2026].revenue == 0  # bought for 180, in stock at 180
    assert years[2027].revenue == D(400 - 180)
    assert years[2027].statement.net == 0


def test_stock_at_cost_has_no_capital_gain() -> None:
    parts, years = found([bought(), sold()], CAPITAL, STOCK, value="cost")
    assert parts[""].slices == ()
    assert years[2027].revenue == D(400 - 100)
    assert all(not year.statement.gross for year in years.values())


def test_leaving_stock_is_at_cost_and_the_clock_begins_anew() -> None:
    for year, net in ((2026, D(300)), (2027, D(150))):
        day = date(year, 8, 15) if year == 2026 else date(2026, 9, 2)
        sale = Dispose("s1", day, "BTC", D(2), D(400))
        _, years = found([bought(), sale], STOCK, CAPITAL)
        assert sum((row.revenue for row in years.values()), D(0)) == 0
        assert years[2027].statement.net == net


def test_what_accrued_before_a_profit_scheme_stays_capital() -> None:
    half = sold("s1", "1", "250")
    parts, years = found([bought(), half], CAPITAL, SCHEME)
    assert years[2027].revenue == D(250 - 90)
    assert years[2027].statement.gross == D(90 - 50)
    assert years[2027].statement.net == D(20)
    assert 2026 not in years  # nothing is deemed on the day itself
    assert [parcel.left for parcel in parts[AFTER].parcels] == [D(1)]
    assert parts[""].parcels == ()


def test_a_loss_before_a_profit_scheme_stays_capital_too() -> None:
    _, years = found([bought(cost="300"), sold()], CAPITAL, SCHEME)
    assert years[2027].statement.carried_forward == D(300 - 180)
    assert years[2027].revenue == D(400 - 180)


def test_a_scheme_sold_after_the_reform_asks_for_an_agent() -> None:
    parts, _ = found([bought(), sold(year=2028)], CAPITAL, SCHEME)
    assert "refer_change" in {item.code for item in parts[AFTER].open_items}


def test_leaving_a_scheme_keeps_cost_and_date_and_asks_for_an_agent() -> None:
    owning = Cost("c1", date(2025, 1, 1), "BTC", 3, D(10))
    parts, years = found([bought(), owning, sold()], SCHEME, CAPITAL)
    assert [item.code for item in parts[AFTER].open_items] == ["refer_change"]
    assert years[2027].statement.net == D(400 - 100 - 10) / 2


def test_a_scheme_that_becomes_a_business_sells_to_itself() -> None:
    for value, profit in (("market", D(80)), ("cost", D(0))):
        _, years = found([bought(), sold()], SCHEME, STOCK, value=value)
        assert years.get(2026) is None or years[2026].revenue == profit
        assert sum((row.revenue for row in years.values()), D(0)) == D(300)


def test_every_dollar_is_taxed_once_whatever_the_path() -> None:
    events: list[Event] = [
        bought(),
        Acquire("b2", date(2025, 3, 1), "BTC", D(1), D(70)),
        sold("s0", "0.5", "60", 2025),
        sold("s1", "2.5", "500", 2026),
    ]
    for first in Treatment:
        for second in Treatment:
            if first is second:
                continue
            for value in ("cost", "market"):
                _, years = found(events, first, second, value=value)
                gains = sum((gain.amount for row in years.values() for gain in row.gains), D(0))
                revenue = sum((row.revenue for row in years.values()), D(0))
                assert round(gains + revenue, 9) == D(560 - 170), (first, second, value)


def test_costs_of_owning_are_counted_once_on_every_path() -> None:
    owning = Cost("c1", date(2025, 1, 1), "BTC", 3, D(10))
    for first in Treatment:
        for second in Treatment:
            if first is second:
                continue
            for value in ("cost", "market"):
                _, years = found([bought(), owning, sold()], first, second, value=value)
                gains = sum((gain.amount for row in years.values() for gain in row.gains), D(0))
                revenue = sum((row.revenue for row in years.values()), D(0))
                assert gains + revenue == D(400 - 100 - 10), (first, second, value)


def test_what_was_held_short_before_a_scheme_has_no_discount() -> None:
    _, years = found([bought(date(2025, 8, 2)), sold()], CAPITAL, SCHEME)
    assert years[2027].statement.net == D(180 - 100)
    _, years = found([bought(date(2025, 7, 31)), sold()], CAPITAL, SCHEME)
    assert years[2027].statement.net == D(180 - 100) / 2


def test_the_day_of_a_change_belongs_to_the_new_account() -> None:
    today = Dispose("s1", CHANGED, "BTC", D(2), D(400))
    _, years = found([bought(), today], CAPITAL, STOCK, value="cost")
    assert (years[2026].revenue, years[2026].statement.gross) == (D(300), D(0))


def test_stock_that_nobody_identified_is_first_in_first_out() -> None:
    events: list[Event] = [
        bought(),
        Acquire("b2", date(2025, 10, 1), "BTC", D(1), D(500)),
        sold("s1", "1", "300"),
    ]
    choices = [Choice("", STOCK, CHANGED, "a business now", "me")]
    parts, years = assess_portfolios(events, Policy(method=Method.HIFO), choices=choices)
    assert parts[AFTER].slices[0].cost == D(50)
    assert years[2027].revenue == D(250)


def test_a_value_that_is_needed_must_be_stated() -> None:
    choice = Choice("", STOCK, CHANGED, "a business now", "me", "market")
    with pytest.raises(Refused, match="BTC changes its account on 2025-09-01"):
        assess_portfolios([bought(), sold()], Policy(), choices=[choice])


def test_a_choice_before_the_first_event_cuts_nothing() -> None:
    choice = Choice("", STOCK, date(2024, 7, 1), "a business", "me")
    parts, _ = assess_portfolios(
        [bought(), sold()], Policy(method=Method.HIFO), choices=[choice, choice]
    )
    assert list(parts) == [""]
