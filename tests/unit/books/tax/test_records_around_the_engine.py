"""Locks, the boundary snapshot, portfolios on two accounts, ties of one instant."""

from datetime import date
from decimal import Decimal

import pytest

from openalpha.books.tax import CarryIn, Law, Method, Policy, Refused, Treatment, assess
from openalpha.books.tax.events import Acquire, Dispose, Event
from openalpha.books.tax.portfolios import Choice, assess_portfolios
from openalpha.books.tax.selection import changed_years, lock_year, locked_orders
from openalpha.books.tax.snapshot import Quote, boundary_values, take_snapshot
from openalpha.books.tax.ties import order_matters

D = Decimal


def rows(strategy: str = "") -> list[Event]:
    return [
        Acquire("a", date(2024, 8, 1), "BTC", D(1), D(100), strategy=strategy),
        Acquire("b", date(2024, 9, 1), "BTC", D(1), D(150), strategy=strategy),
        Dispose("s", date(2024, 10, 1), "BTC", D(1), D(160), strategy=strategy),
    ]


def test_a_locked_year_keeps_its_parcels_and_shows_a_change() -> None:
    policy = Policy(method=Method.MIN_TAX)
    found = assess(rows(), policy)
    lock = lock_year(found, 2025, chosen_by="standing rule", ts_ms=1)
    assert (lock.method, lock.chosen_by) == ("lifo", "standing rule")
    later = [*rows(), Acquire("c", date(2024, 9, 15), "BTC", D(1), D(159))]
    again = assess(rows(), policy, locked=locked_orders([lock]))
    assert changed_years(again, [lock]) == []
    changed = assess(later, policy, locked=locked_orders([lock]))
    assert changed_years(changed, [lock]) == [2025]


def test_an_open_year_cannot_be_locked() -> None:
    found = assess([Dispose("s", date(2024, 10, 1), "BTC", D(1), D(1))], Policy())
    with pytest.raises(Refused, match="while an item is open"):
        lock_year(found, 2025, chosen_by="me", ts_ms=1)
    with pytest.raises(Refused, match="nothing to lock"):
        lock_year(found, 2024, chosen_by="me", ts_ms=1)


def test_the_snapshot_values_every_open_parcel_by_two_sources() -> None:
    events = rows()
    held = assess(events, Policy()).parcels
    quotes = [Quote("one", "BTC", D(200), 5), Quote("two", "BTC", D(201), 6)]
    taken = take_snapshot(held, quotes)
    (row,) = taken.rows
    assert (row.parcel, row.value, row.deferred, row.source) == ("b", D(200), D(50), "one")
    assert len(taken.sha256) == 64
    assert take_snapshot(held, [*quotes[:1], Quote("two", "BTC", D(202), 6)]).sha256 != taken.sha256
    later = [*events, Dispose("s2", date(2027, 12, 1), "BTC", D(1), D(210))]
    found = assess(later, Policy(), law=Law(boundary_values(taken)))
    assert [gain.amount for gain in found.years[2028].gains] == [D(50), D(10)]


@pytest.mark.parametrize(
    "quotes",
    [
        [],
        [Quote("one", "BTC", D(1), 0)],
        [Quote("one", "BTC", D(1), 0), Quote("one", "BTC", D(2), 0)],
        [Quote("one", "BTC", D(0), 0), Quote("two", "BTC", D(1), 0)],
    ],
)
def test_a_snapshot_without_evidence_is_refused(quotes: list[Quote]) -> None:
    with pytest.raises(Refused):
        take_snapshot(assess(rows(), Policy()).parcels, quotes)


def test_portfolios_have_accounts_of_their_own() -> None:
    trading = Choice("bot", Treatment.REVENUE_PROFIT_SCHEME, date(2024, 7, 1), "a business", "me")
    other: list[Event] = [
        Acquire("x", date(2022, 8, 1), "BTC", D(1), D(50)),
        Dispose("y", date(2024, 10, 1), "BTC", D(1), D(160)),
    ]
    found, years = assess_portfolios(
        [*rows("bot"), *other], Policy(), choices=[trading], carry_in=CarryIn(((2020, D(10)),))
    )
    assert set(found) == {"", "bot"}
    assert years[2025].revenue == D(60)
    assert years[2025].statement.net == D(50)  # (110 - 10) / 2: the bot's parcels are not touched
    assert years[2025].statement.carried_forward == 0
    assert found[""].years[2025].statement.applied_prior == 0  # set off once, for all together


def test_a_choice_nobody_signed_is_refused() -> None:
    unsigned = Choice("bot", Treatment.CAPITAL, date(2024, 7, 1), "why", "")
    with pytest.raises(Refused, match="who chose it"):
        assess_portfolios(rows("bot"), Policy(), choices=[unsigned])


def test_ties_are_named_only_where_they_change_a_figure() -> None:
    day = date(2024, 8, 1)
    dear = Acquire("a", day, "BTC", D(1), D(150), ts_ms=7)
    cheap = Acquire("b", day, "BTC", D(1), D(100), ts_ms=7)
    sale = Dispose("s", date(2024, 10, 1), "BTC", D(1), D(160), ts_ms=9)
    assert "ends in 2025" in order_matters([dear, cheap, sale], Policy())[0]
    assert order_matters([dear, cheap, sale], Policy(method=Method.HIFO)) == []
    assert order_matters([dear, sale], Policy()) == []
