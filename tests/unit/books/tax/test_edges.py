"""Edges that a wrong sign or bound would move: one line of law each."""

from datetime import date
from decimal import Decimal

from openalpha.books.tax import BoundaryValue, CarryIn, Law, Method, Policy, assess
from openalpha.books.tax.entity import Residency
from openalpha.books.tax.events import Acquire, Dispose, Event, ForexItem, Moved, StatedGain
from openalpha.books.tax.gains import is_indexable
from openalpha.books.tax.indexation import Cpi
from openalpha.books.tax.minimum_tax import minimum_tax
from openalpha.books.tax.near import near_borders
from openalpha.books.tax.parcels import Parcel, Sale, make_pool

D = Decimal


def test_the_tax_pool_weighs_a_discounted_gain_by_half() -> None:
    for long_cost, chosen in (("110", "long"), ("30", "short")):
        pool = make_pool(Method.MIN_TAX)
        pool.add(Parcel("long", "BTC", date(2023, 1, 1), 1, D(1), D(long_cost)))
        pool.add(Parcel("short", "BTC", date(2025, 7, 2), 2, D(1), D(120)))
        (piece,) = pool.take(D(1), Sale(date(2025, 8, 1), D(200)))
        # Taxed: 45 of the long one against 80 of the short; then 85 against 80.
        assert piece.parcel.id == chosen


def test_a_parcel_turns_long_on_its_first_eligible_day() -> None:
    for day, chosen in ((date(2025, 1, 1), "short"), (date(2025, 1, 2), "old")):
        pool = make_pool(Method.MIN_TAX)
        pool.add(Parcel("old", "BTC", date(2024, 1, 1), 1, D(1), D(110)))
        pool.add(Parcel("short", "BTC", date(2024, 12, 1), 2, D(1), D(120)))
        (piece,) = pool.take(D(1), Sale(day, D(200)))
        assert piece.parcel.id == chosen


def test_a_discounted_new_dwelling_is_outside_the_minimum_tax() -> None:
    day = date(2030, 1, 1)
    rows: list[Event] = [
        StatedGain("home", day, D(100), True, "residential"),
        StatedGain("shares", day, D(30), False, "non_residential"),
    ]
    statement = assess(rows, Policy()).years[2030].statement
    assert (statement.net, statement.minimum_tax_gain) == (D(80), D(30))


def test_the_last_day_before_the_change_counts_as_held() -> None:
    law = Law({"BTC": BoundaryValue(D(90))}, Cpi(fixed=D(1)))
    for day, parts in ((date(2027, 6, 30), [-10, 60]), (date(2027, 7, 1), [50])):
        events: list[Event] = [
            Acquire("b", day, "BTC", D(1), D(100)),
            Dispose("s", date(2029, 1, 1), "BTC", D(1), D(150)),
        ]
        assert [gain.amount for gain in assess(events, Policy(), law=law).gains] == parts


def test_residence_is_tested_from_acquisition_on() -> None:
    away = Residency("temporary", date(2027, 7, 1), date(2027, 12, 31))
    policy = Policy(residency=(away,))
    assert is_indexable(date(2028, 1, 1), date(2029, 7, 1), policy=policy)
    assert not is_indexable(date(2027, 12, 31), date(2029, 7, 1), policy=policy)
    assert not is_indexable(date(2020, 1, 1), date(2029, 7, 1), policy=policy)
    assert not is_indexable(None, date(2029, 7, 1), policy=Policy())


def test_nothing_is_indexed_before_the_september_quarter_2027() -> None:
    cpi = Cpi({"2020-03": D(50), "2027-09": D(100), "2028-03": D(102)})
    assert cpi.factor(date(2020, 1, 15), date(2028, 2, 1)) == D("1.020")
    assert cpi.factor(None, date(2028, 2, 1)) == D("1.020")
    assert cpi.factor(date(2028, 1, 1), date(2028, 3, 31)) == 1


def test_a_moved_parcel_says_where_it_is() -> None:
    moved = Moved("m", date(2025, 1, 1), "BTC", D(1), D(1), None, None, "hot", "cold")
    bought = Acquire("b", date(2024, 7, 1), "BTC", D(3), D(90), wallet="hot")
    parcels = assess([bought, moved], Policy(per_wallet=True)).parcels
    assert {(p.wallet, p.left, p.cost_left) for p in parcels} == {
        ("cold", D(1), D(30)),
        ("hot", D(2), D(60)),
    }


def test_forex_gains_are_k10_and_never_discounted() -> None:
    rows: list[Event] = [
        ForexItem("k", date(2025, 8, 1), D(40), is_capital=True),
        StatedGain("x", date(2025, 8, 1), D(60), True, "K10"),
    ]
    year = assess(rows, Policy()).years[2026]
    assert [gain.category for gain in year.gains] == ["K10", "K10"]
    assert year.statement.net == D(100)


def test_min_tax_knows_the_losses_of_the_year_before() -> None:
    """With a loss to absorb it, the discount is worth nothing; the order then ties to FIFO."""
    rows: list[Event] = [
        StatedGain("l", date(2024, 8, 1), D(-500)),
        Acquire("long", date(2024, 7, 1), "BTC", D(1), D(100)),
        Acquire("short", date(2025, 7, 2), "BTC", D(1), D(120)),
        Dispose("s", date(2025, 8, 1), "BTC", D(1), D(200)),
    ]
    found = assess(rows, Policy(method=Method.MIN_TAX))
    assert [piece.lot for piece in found.slices] == ["short"]
    assert found.years[2026].statement.carried_forward == D(420)


def test_a_parcel_is_no_repurchase_of_itself() -> None:
    rows: list[Event] = [
        Acquire("b", date(2025, 5, 25), "BTC", D(1), D(100)),
        Dispose("s", date(2025, 6, 1), "BTC", D(1), D(60)),
    ]
    assert not assess(rows, Policy()).wash
    twin = Acquire("c", date(2025, 5, 26), "BTC", D(1), D(100))
    assert assess([*rows, twin], Policy()).wash[0].bought == ("c",)


def test_gifts_and_support_lower_the_minimum_tax() -> None:
    def tax(income: Decimal) -> Decimal:
        return income / 10

    found = minimum_tax(D(1000), D(5000), tax=tax, rate=D("0.3"))
    assert found.gap == D(200)
    less = minimum_tax(D(1000), D(5000), tax=tax, rate=D("0.3"), gifts=D(400))
    assert (less.gain, less.gap) == (D(600), D(120))
    assert minimum_tax(D(1000), D(5000), tax=tax, rate=D("0.3"), is_exempt=True).gap == 0
    odd = minimum_tax(D("1003.5"), D(5000), tax=tax, rate=D("0.3"))
    assert odd.gap == D(200)  # 200.70, rounded down to whole dollars


def test_a_small_business_concession_comes_after_the_discount() -> None:
    rows: list[Event] = [StatedGain("g", date(2025, 8, 1), D(800), True, concession=D("0.5"))]
    statement = assess(rows, Policy()).years[2026].statement
    assert (statement.gross, statement.discount, statement.net) == (D(800), D(400), D(200))


def test_losses_brought_in_may_be_of_several_years() -> None:
    rows: list[Event] = [StatedGain("g", date(2025, 8, 1), D(100))]
    carry = CarryIn(((2022, D(70)), (2020, D(60))))
    assert assess(rows, Policy(), carry_in=carry).years[2026].statement.carried == ((2022, D(30)),)


def test_fills_near_a_border_of_the_calendar_are_named() -> None:
    hour = 3_600_000
    first_of_july = 1_751_292_000_000  # 2025-07-01 00:00 in Sydney
    rows: list[Event] = [
        Acquire("far", date(2025, 5, 1), "BTC", D(1), D(1), ts_ms=first_of_july - 15 * hour),
        Acquire("near", date(2025, 7, 1), "BTC", D(1), D(1), ts_ms=first_of_july + 13 * hour),
        Dispose("s", date(2026, 5, 2), "BTC", D(1), D(2), ts_ms=1_777_651_200_000),
    ]
    found = near_borders(rows, assess(rows, Policy()).slices, zone="Australia/Sydney")
    assert [text.split()[0] for text in found] == ["near", "s"]
    assert "12 months" in found[1]
