"""Trusts that distribute, companies with their wallets, entities that are referred."""

from datetime import date
from decimal import Decimal

import pytest

from openalpha.books.tax import Entity, Law, Method, Policy, Refused, Treatment, assess
from openalpha.books.tax.company_year import company_years
from openalpha.books.tax.entity import Residency
from openalpha.books.tax.entity_year import Assessed, assess_profile
from openalpha.books.tax.events import Acquire, Dispose, Event, Money
from openalpha.books.tax.explain import explain, explain_revenue
from openalpha.books.tax.gains import BoundaryValue
from openalpha.books.tax.portfolios import Choice
from openalpha.books.tax.profile import Beneficiary, BroughtLoss, Deed, Profile, Resolution
from openalpha.books.tax.search import Candidate
from openalpha.books.tax.slices import Slice
from openalpha.books.tax.tables import load_tables
from openalpha.books.tax.trust_year import TrustYear, left_of_each, trust_year

D = Decimal
TABLES = load_tables()
PEOPLE = (Beneficiary("Kim"), Beneficiary("Pty", Entity.COMPANY))


def rows() -> list[Event]:
    return [
        Acquire("b1", date(2024, 1, 1), "BTC", D(1), D(100)),
        Acquire("b2", date(2025, 8, 1), "ETH", D(1), D(100)),
        Acquire("b3", date(2025, 8, 1), "SOL", D(1), D(100)),
        Dispose("long", date(2025, 9, 1), "BTC", D(1), D(300)),
        Dispose("short", date(2025, 10, 1), "ETH", D(1), D(160)),
        Dispose("loss", date(2025, 11, 1), "SOL", D(1), D(80)),
        Money("i", date(2025, 12, 1), D(1000), "interest"),
    ]


def trust(*resolutions: Resolution, streaming: bool = True) -> TrustYear:
    deed = Deed(PEOPLE, resolutions, streaming)
    found = assess_profile(rows(), Profile("t", Policy(entity=Entity.TRUST), deed=deed))
    return trust_year(found.years[2026], deed, tables=TABLES)


def income(kim: str, pty: str, day: date = date(2026, 6, 30)) -> Resolution:
    return Resolution(2026, "income", day, {"Kim": D(kim), "Pty": D(pty)})


def stream(name: str, *gains: str, day: date = date(2026, 8, 31)) -> Resolution:
    return Resolution(2026, "gains", day, {name: D(1)}, gains)


def test_a_trusts_loss_leaves_its_gains_in_the_statements_order() -> None:
    found = assess_profile(rows(), Profile("t", Policy(entity=Entity.TRUST)))
    left = {row.source: row.gain.amount for row in left_of_each(found.years[2026])}
    assert left == {"short": D(40), "long": D(200)}
    assert sum(left.values()) == found.years[2026].statement.after_losses


def test_gains_follow_the_income_where_nobody_is_specifically_entitled() -> None:
    year = trust(income("0.75", "0.25"))
    kim, pty = year.beneficiaries
    assert (kim.income, pty.income) == (D(750), D(250))
    assert (kim.grossed_up, pty.grossed_up) == (D(180), D(60))
    assert kim.statement.net == D("0.75") * 40 + D("0.75") * 200 / 2
    assert pty.statement.net == D(60)  # a company has no discount
    assert (year.trustee.tax, year.problems) == (D(0), ())


def test_a_gain_streams_to_who_is_entitled_in_time() -> None:
    year = trust(income("0", "1"), stream("Kim", "long"))
    kim, pty = year.beneficiaries
    assert [(gain.source, gain.amount) for gain in kim.gains] == [("long", D(200))]
    assert [(gain.source, gain.amount) for gain in pty.gains] == [("short", D(40))]
    assert (kim.attributable, kim.statement.net) == (D(100), D(100))


@pytest.mark.parametrize(
    ("late", "streaming", "word"),
    [(date(2026, 9, 1), True, "recorded after 2026-08-31"), (date(2026, 8, 1), False, "deed")],
)
def test_a_late_or_forbidden_stream_does_not_count(late: date, streaming: bool, word: str) -> None:
    year = trust(income("0", "1"), stream("Kim", "long", day=late), streaming=streaming)
    assert year.beneficiaries[0].gains == ()
    assert any(word in text for text in year.problems)


def test_what_nobody_takes_is_the_trustees_at_the_top_rate_undiscounted() -> None:
    late = trust(income("0.5", "0.5", date(2026, 7, 1)))
    assert (late.trustee.income, late.trustee.gains) == (D(1000), D(240))
    assert late.trustee.tax == D(1240) * D("0.45")
    assert len(late.problems) == 2
    part = trust(income("0.5", "0.25"))
    assert part.trustee.tax == (D(250) + 60) * D("0.45")


def test_the_last_timely_resolution_holds() -> None:
    year = trust(income("1", "0", date(2026, 6, 1)), income("0", "1", date(2026, 6, 29)))
    assert [row.income for row in year.beneficiaries] == [0, D(1000)]


def test_a_trusts_income_loss_stays_inside() -> None:
    deed = Deed(PEOPLE, (income("1", "0"),))
    events = [*rows()[:-1], Money("i", date(2025, 12, 1), D(-70), "fee")]
    found = assess_profile(events, Profile("t", Policy(entity=Entity.TRUST), deed=deed))
    year = trust_year(found.years[2026], deed, tables=TABLES)
    assert (year.loss_kept, year.beneficiaries[0].income) == (D(70), D(0))


def test_entitlements_beyond_the_whole_and_strangers_are_refused() -> None:
    with pytest.raises(Refused, match="more than the whole"):
        trust(income("1", "0"), stream("Kim", "long"), stream("Pty"))
    deed = Deed((Beneficiary("Abroad", is_resident=False),))
    found = assess_profile(rows(), Profile("t", Policy(entity=Entity.TRUST), deed=deed))
    with pytest.raises(Refused, match="s 98"):
        trust_year(found.years[2026], deed, tables=TABLES)


def company(events: list[Event], **more: object) -> Assessed:
    return assess_profile(events, Profile("c", Policy(entity=Entity.COMPANY), **more))  # type: ignore[arg-type]


def test_a_companys_wallets_never_mix() -> None:
    events: list[Event] = [
        Acquire("b", date(2024, 7, 1), "BTC", D(2), D(200)),
        Dispose("down", date(2024, 8, 1), "BTC", D(1), D(40)),
        Money("m1", date(2024, 9, 1), D(-300), "fee"),
        Dispose("up", date(2025, 8, 1), "BTC", D(1), D(130)),
        Money("m2", date(2025, 9, 1), D(500), "interest"),
    ]
    losses = (
        BroughtLoss(2023, D(7), "capital", "notice", "ownership"),
        BroughtLoss(2023, D(900), "revenue", "notice", "business"),
        BroughtLoss(2022, D(5000), "revenue", "notice"),
        BroughtLoss(2022, D(4000), "capital", "notice"),
    )
    found = company(events, losses=losses, turnover={2026: D(1000)})
    years = company_years(found.years, found.profile, tables=TABLES)
    one, two = years[2025].losses, years[2026].losses
    assert [(row.opening, row.made, row.applied, row.closing) for row in one] == [
        (D(7), D(60), D(0), D(67)),
        (D(900), D(300), D(0), D(1200)),
    ]
    assert [(row.opening, row.made, row.applied, row.closing) for row in two] == [
        (D(67), D(0), D(30), D(37)),
        (D(1200), D(0), D(500), D(700)),
    ]
    assert [row.barred for row in two] == [D(4000), D(5000)]
    assert years[2026].tax.tax == 0
    assert len(years[2026].problems) == 2


@pytest.mark.parametrize(("other", "rate"), [("150", "0.25"), ("149.99", "0.30")])
def test_gains_are_passive_for_the_companys_rate(other: str, rate: str) -> None:
    events: list[Event] = [
        Acquire("b", date(2024, 7, 1), "BTC", D(1), D(200)),
        Dispose("s", date(2025, 8, 1), "BTC", D(1), D(800)),
        Money("m", date(2025, 9, 1), D(other), "trading"),
    ]
    found = company(events, turnover={2026: D(1000)})
    year = company_years(found.years, found.profile, tables=TABLES)[2026]
    assert year.tax.rate == D(rate)
    assert year.tax.tax == (D(600) + D(other)) * D(rate)
    assert f"{year.tax.tax:,.2f}" in year.franking_note


@pytest.mark.parametrize("status", ["deceased", "foreign", "temporary"])
def test_who_is_not_worked_out_here_is_sent_to_an_agent(status: str) -> None:
    away = Policy(residency=(Residency(status, date(2025, 1, 1), None),))
    with pytest.raises(Refused, match="registered tax agent"):
        assess_profile(rows(), Profile("me", away))
    before = Policy(residency=(Residency(status, None, date(2023, 12, 31)),))
    assert assess_profile(rows(), Profile("me", before)).years[2026].statement.gross == D(260)


def test_portfolios_and_the_whole_add_up_in_a_profile() -> None:
    choice = Choice("", Treatment.REVENUE_TRADING_STOCK, date(2025, 9, 15), "business", "me")
    plain = assess_profile(rows(), Profile("me"))
    changed = assess_profile(rows(), Profile("me", choices=(choice,)))
    assert plain.years[2026].result == D(1000 + 40 + 100)
    assert changed.years[2026].statement.net == D(100)
    assert changed.years[2026].result == D(1000 + 100 + 60 - 20)
    assert len(changed.parts) == 2


def test_a_locked_year_keeps_its_order_whatever_the_method_is_now() -> None:
    events: list[Event] = [
        Acquire("cheap", date(2024, 8, 1), "BTC", D(1), D(100)),
        Acquire("dear", date(2024, 9, 1), "BTC", D(2), D(400)),
        Dispose("s1", date(2024, 10, 1), "BTC", D(1), D(160)),
        Dispose("s2", date(2025, 10, 1), "BTC", D(1), D(160)),
    ]
    fifo = Candidate(Method.FIFO, D(1))
    for method, lots in ((Method.HIFO, ["cheap", "dear"]), (Method.FIFO, ["cheap", "dear"])):
        kept = assess_profile(events, Profile("me", Policy(method=method)), locked={2025: fifo})
        assert [piece.lot for piece in kept.slices] == lots
    free = assess_profile(events, Profile("me", Policy(method=Method.HIFO)))
    assert [piece.lot for piece in free.slices] == ["dear", "dear"]


def test_a_disposal_on_revenue_account_explains_itself_without_cgt() -> None:
    policy = Policy(treatment=Treatment.REVENUE_PROFIT_SCHEME)
    found = assess_profile(rows(), Profile("me", policy))

    def origin(event: str) -> list[str]:
        return [f"from {event}"]

    lines = "\n".join(explain(found, "long", origin=origin))
    assert "on revenue account, without CGT: proceeds less cost 200.00" in lines
    assert "from long" in lines
    assert "from b1" in lines
    told = explain_revenue(found, "income", chosen=lambda row: row.amount > 0, origin=origin)
    assert told[0] == "income, 2025-26: 1,260.00"
    assert "      from short" in told
    plain = assess_profile(rows(), Profile("me"))
    assert "    from short" in explain(plain, "18H", origin=origin)
    with pytest.raises(Refused, match="no label"):
        explain(plain, "nothing")


def test_the_apportioning_method_is_refused_until_it_is_plugged_in() -> None:
    events: list[Event] = [
        Acquire("b", date(2020, 1, 1), "BTC", D(2), D(100)),
        Dispose("s", date(2028, 2, 1), "BTC", D(1), D(300)),
    ]
    boundary = {"BTC": BoundaryValue(None, "apportioning")}
    with pytest.raises(Refused, match="ministerial instrument"):
        assess(events, Policy(), law=Law(boundary))

    def half_way(piece: Slice) -> Decimal:
        return (piece.proceeds + piece.cost) / 2

    gains = assess(events, Policy(), law=Law(boundary, apportion=half_way)).gains
    assert [gain.amount for gain in gains] == [D(125), D(125)]
