"""The report's figures beside a hand's, and what makes it a draft."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from openalpha.books.report import build_report
from openalpha.books.report.contents import tables_of
from openalpha.books.report.facts import Named
from openalpha.books.report.model import TaxReport
from openalpha.books.tax.entity import Entity, Method, Policy, Refused, Residency, Treatment
from openalpha.books.tax.events import Acquire, Dispose
from openalpha.books.tax.portfolios import Choice
from openalpha.books.tax.profile import Beneficiary, Deed, Profile, Resolution
from openalpha.books.tax.search import Candidate
from openalpha.books.tax.tables import load_tables
from openalpha.core.clock import parse_ms
from tests.fakes.tax_report import balance, facts, history, item

D = Decimal


def of(report: TaxReport) -> dict[str, Any]:
    return {line.label: line.exact for line in report.labels}


def test_labels_are_what_a_hand_works_out() -> None:
    report = build_report(facts())
    # BTC: 50000 - 50 - 30030 = 19920, held over a year. ETH: 3500 - 3.50 - 5005 = -1508.50.
    # Swap: 6100 - 6.10 - 5005 = 1088.90, and its fee coin: 6.10 - 5.005 = 1.095, both short.
    # 2 USDT paid: 3.03 of proceeds, 500.25 * 2 / 330 of cost.
    short = D("1088.90") + D("1.095")
    usdt = (D("500.25") * 2 / 330).quantize(D("1e-18")) - D("3.03")
    loss = D("1508.50") + usdt
    # The 1500 brought in went against the gain of the year before.
    found = of(report)
    assert found["18H"] == D(19920) + short
    assert abs(found["18A"] - (D(19920) + short - loss) / 2) < D("1e-15")
    assert (found["18V"], found["10L"]) == (0, D("12.40"))
    assert found["24"] == D("76.25") + D("500.25")
    assert found["D15"] == D("3.03")
    shown = {line.label: line.shown for line in report.labels}
    assert (shown["18G"], shown["24"], shown["18H"]) == ("Y", "576", "21,009")


def test_the_loss_of_the_year_before_is_used_and_named() -> None:
    report = build_report(facts())
    # 2024-25: gain of 40000 - 40 - 30030 = 9930 takes the 1500 brought in.
    assert report.losses == ()
    earlier = build_report(facts(year=2025))
    (line,) = earlier.losses
    assert (line.year, line.brought, line.used, line.carried) == (2024, 1500, 1500, 0)
    assert of(earlier)["18A"] == (D(9930) - 1500) / 2


def test_every_disposal_row_says_who_chose_which_parcel_and_how() -> None:
    rows = build_report(facts()).disposals
    sale = next(row for row in rows if row.disposal == "sell-btc")
    assert (sale.parcel, sale.acquired, sale.qty) == ("buy-btc", date(2024, 1, 10), D("0.5"))
    assert (sale.proceeds, sale.reduced + sale.owning, sale.gain) == (50000, 30080, 19920)
    assert (sale.is_discountable, sale.method, sale.chosen_by) == (True, "fifo", "Ann Example")
    assert sale.time == "2025-09-10 12:00:00"  # Sydney, ten hours ahead of UTC in winter
    assert sale.source == "a.csv, line 8"
    assert len({row.sha256 for row in rows}) == len(rows)
    assert {row.disposal for row in rows} == {
        "sell-btc", "sell-eth", "swap", "swap.fee", "perp-fee.paid",
    }  # fmt: skip


def test_a_parcel_named_at_the_sale_is_specific() -> None:
    events = [
        Acquire("a", date(2025, 7, 2), "BTC", D(1), D(10)),
        Acquire("b", date(2025, 7, 3), "BTC", D(1), D(30)),
        Dispose("s", date(2025, 8, 1), "BTC", D(1), D(50), lots=(("b", D(1)),)),
    ]
    profile = Profile("me", Policy(method=Method.SPECIFIC))
    (row,) = build_report(facts(events=events, profile=profile)).disposals
    assert (row.parcel, row.method, row.gain) == ("b", "specific", 20)
    assert (row.chosen_by, row.chosen_at) == ("Ann Example", "standing")
    word = Named("the strategy", parse_ms("2025-08-01T04:00"), "ef" * 32)
    (told,) = build_report(facts(events=events, profile=profile, named={"s": word})).disposals
    assert told[-4:-1] == ("the strategy", "2025-08-01 14:00:00", "ef" * 32)


def test_treatments_stand_side_by_side() -> None:
    report = build_report(facts())
    rows = {line.name: line.amounts for line in report.comparison}
    assert report.treatments == ("capital", "revenue_profit_scheme", "revenue_trading_stock")
    capital, scheme, stock = rows["added to taxable income"]
    assert rows["net capital gain"][1:] == (0, 0)
    income, paid = rows["income on revenue account"], rows["deductions on revenue account"]
    assert scheme == income[1] - paid[1] == stock
    assert capital == rows["net capital gain"][0] + income[0] - paid[0]
    # Without discount and losses of earlier years the result is the whole of all gains.
    assert scheme > capital


def test_each_portfolio_stands_on_its_own_account() -> None:
    events = [replace(e, strategy="bot") if e.id == "sell-eth" else e for e in history()]
    events = [replace(e, strategy="bot") if e.id == "buy-eth" else e for e in events]
    choice = Choice("bot", Treatment.REVENUE_PROFIT_SCHEME, date(2025, 7, 1), "a business", "Ann")
    profile = replace(facts().profile, choices=(choice,))
    report = build_report(facts(events=events, profile=profile))
    assert report.treatment == "as chosen"
    assert report.treatments[0] == "as chosen"
    sale = next(row for row in report.disposals if row.disposal == "sell-eth")
    assert (sale.category, sale.gain) == ("revenue", D("-1508.50"))
    said = {line.name: line.value for line in report.settings}
    assert "a business" in said["Treatment of bot"]
    assert "by Ann since 2025-07-01" in said["Treatment of bot"]


def test_what_is_held_is_what_is_left_on_30_june() -> None:
    rows = {row.parcel: row for row in build_report(facts()).holdings}
    assert set(rows) == {"buy-btc", "buy-eth", "again-eth", "swap", "staking", "perp-win"}
    btc = rows["buy-btc"]
    assert (btc.qty, btc.cost, btc.discount_from) == (1, 60060, date(2025, 1, 11))
    assert rows["staking"].cost == D("76.25")


def test_a_loss_beside_a_purchase_is_listed_with_its_reason() -> None:
    (line,) = [x for x in build_report(facts()).wash if x.asset == "ETH"]
    assert (line.disposal, line.bought, line.days_apart) == ("sell-eth", "again-eth", 0)
    assert (line.loss, line.reason) == (D("1508.50"), "stop of the strategy")


def test_the_first_page_names_every_choice() -> None:
    said = {line.name: line.value for line in build_report(facts()).settings}
    for name in (
        "Entity", "Tax residency", "Time zone", "Law", "Forms", "Treatment", "Parcel method",
        "AUD rates", "Rate sources", "Perpetuals", "Deposits to a venue", "Fee in a coin",
        "Network fee of own transfers", "Losses brought in", "Wash sales", "Personal use claims",
        "Reconciliation at year end", "Settled by a person", "Engine",
    ):  # fmt: skip
        assert said[name], name
    assert "notice of assessment" in said["Losses brought in"]
    assert "chosen by Ann Example since 2024-01-01: buys to hold" in said["Treatment"]
    assert said["Rate sources"] == "RBA F11.1 (1)"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"open_items": (item(),)}, "1 × missing rate"),
        ({"is_over": False}, "the income year has not ended"),
        ({"draft_for": ("because",)}, "because"),
        (
            {"balances": (balance(stated=D("2.499"), verdict="wrong"),)},
            "bybit unified BTC: stated and moved differ by 0.5",
        ),
        (
            {"events": [*history(), Dispose("x", date(2026, 3, 1), "DOGE", D(5), D(1))]},
            "1 × missing acquisition",
        ),
    ],
)
def test_anything_open_makes_a_draft(changes: dict[str, Any], reason: str) -> None:
    report = build_report(facts(**changes))
    assert (report.status, report.reasons) == ("DRAFT", (reason,))


def test_nothing_open_is_final_and_a_settled_balance_is_no_reason() -> None:
    rows = (balance(), balance(coin="ETH", stated=D("2.999"), verdict="settled"))
    report = build_report(facts(balances=rows))
    assert (report.status, report.reasons) == ("FINAL", ())
    said = {line.name: line.value for line in report.settings}
    settled = "1 of 2 balances right to 8 decimals, 1 settled by a person"
    assert said["Reconciliation at year end"] == settled


def test_a_missing_rate_is_asked_for_once() -> None:
    unpriced = Acquire("odd", date(2025, 9, 1), "XYZ", D(1), None)
    events = [*history(), unpriced]
    asked = build_report(facts(events=events, open_items=(item(key="odd/1XYZ"),)))
    assert [line.key for line in asked.open_items] == ["odd/1XYZ"]
    unasked = build_report(facts(events=events))
    assert [line.code for line in unasked.open_items] == ["missing_cost"]


def test_a_year_of_purchases_has_a_report_and_no_gain() -> None:
    report = build_report(facts(year=2024))
    assert {line.label: line.shown for line in report.labels}["18G"] == "N"
    assert [row.parcel for row in report.holdings] == ["buy-btc"]
    assert report.losses[0].carried == 1500


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"year": 2020}, "nothing happened in 2019-20 to me; there are events in 2023-24"),
        ({"events": []}, "there is nothing to report for me"),
        (
            {"profile": Profile("me", Policy(residency=(Residency("foreign"),)))},
            "take the history to a registered tax agent",
        ),
    ],
)
def test_what_cannot_be_reported_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(Refused, match=words):
        build_report(facts(**changes))


def test_a_locked_year_keeps_its_parcels_under_another_method() -> None:
    events = [
        Acquire("a", date(2024, 7, 2), "BTC", D(1), D(10)),
        Acquire("b", date(2024, 7, 3), "BTC", D(1), D(30)),
        Acquire("c", date(2024, 7, 4), "BTC", D(1), D(20)),
        Dispose("s1", date(2025, 1, 1), "BTC", D(1), D(50)),
        Dispose("s2", date(2026, 1, 1), "BTC", D(1), D(50)),
    ]
    hifo = Profile("me", Policy(method=Method.HIFO))
    free = build_report(facts(events=events, profile=hifo))
    assert [row.parcel for row in free.disposals] == ["c"]  # b went the year before
    kept = {2025: Candidate(Method.FIFO, D(1))}
    bound = build_report(facts(events=events, profile=hifo, orders=kept))
    (row,) = bound.disposals
    assert (row.parcel, row.method) == ("b", "hifo")
    said = {line.name: line.value for line in bound.settings}
    assert said["Parcel method"] == "hifo; locked years keep 2024-25 fifo"


def test_the_same_facts_give_the_same_hashes_and_a_change_another() -> None:
    one, two = build_report(facts()), build_report(facts())
    assert one == two
    later = build_report(facts(origin=facts().origin._replace(made="later")))
    assert later.report_sha256 == one.report_sha256
    reason = build_report(facts(signature=facts().signature._replace(reason="another")))
    assert reason.figures_sha256 == one.figures_sha256
    assert reason.report_sha256 != one.report_sha256
    events = [e for e in history() if e.id != "interest"]
    other = build_report(facts(events=events))
    assert other.figures_sha256 != one.figures_sha256
    assert other.parcels_sha256 == one.parcels_sha256


@pytest.mark.parametrize(
    ("kind", "labels"),
    [
        (Entity.TRUST, {"21G", "21A", "21V", "–"}),
        (Entity.COMPANY, {"7G", "7A", "13V", "–"}),
        (Entity.SMSF, {"11G", "11A", "14V", "–"}),
    ],
)
def test_other_entities_have_the_labels_of_their_form(kind: Entity, labels: set[str]) -> None:
    profile = Profile("fund", Policy(entity=kind))
    report = build_report(facts(profile=profile))
    assert {line.label for line in report.labels} == labels
    assert report.needs_schedule  # gains above $10,000
    schedule = {line.label: line.exact for line in report.schedule}
    net = schedule["1J"] - schedule["2E"] - schedule["4A"]
    assert abs(schedule["6A"] - net) < D("1e-20")


def test_after_the_reform_a_straddling_parcel_is_two_rows() -> None:
    from openalpha.books.tax.gains import BoundaryValue, Law

    events = [
        Acquire("a", date(2025, 7, 2), "BTC", D(1), D(100)),
        Dispose("s", date(2027, 12, 1), "BTC", D(1), D(250)),
    ]
    law = Law(boundary={"BTC": BoundaryValue(D(200))})
    report = build_report(facts(events=events, year=2028, law=law, is_over=True))
    first, second = report.disposals
    assert (first.category, first.gain, first.proceeds) == ("deferred_non_residential", 100, None)
    assert (second.category, second.proceeds) == ("non_residential", 250)
    assert [name for name, _ in report.pools][::2] == [
        "deferred_non_residential", "deferred_residential", "non_residential", "residential",
    ]  # fmt: skip


def test_a_simulated_book_says_so() -> None:
    report = build_report(facts(origin=facts().origin._replace(simulated="backtest")))
    said = {line.name: line.value for line in report.settings}
    assert said["Environment"].startswith("backtest: no real money")
    synthetic = facts().rates[0]._replace(source="SYNTHETIC drift")
    assert build_report(facts(rates=(synthetic,))).is_synthetic


def test_a_trust_says_who_takes_what_and_what_falls_to_the_trustee() -> None:
    deed = Deed(
        (Beneficiary("Ann"), Beneficiary("Co", Entity.COMPANY)),
        (Resolution(2026, "income", date(2026, 6, 20), {"Ann": D("0.5"), "Co": D("0.3")}),),
    )
    events = [
        Acquire("a", date(2024, 1, 1), "BTC", D(1), D(100)),
        Dispose("s", date(2026, 1, 1), "BTC", D(1), D(1100)),
    ]
    profile = Profile("t", Policy(entity=Entity.TRUST), deed=deed)
    report = build_report(facts(events=events, profile=profile, tables=load_tables()))
    found = {(line.who, line.what): line.amount for line in report.entity_lines}
    # 1000 of gain, 500 after the discount: half of it is Ann's, grossed up to 500, halved again.
    assert found["Ann, individual", "share of the trust's net capital gain"] == 250
    assert found["Ann, individual", "capital gains at 18H, grossed up"] == 500
    ann_net = found["Ann, individual", "net capital gain after own losses and discount"]
    assert ann_net == 250
    company_net = found["Co, company", "net capital gain after own losses and discount"]
    assert company_net == 300  # no discount
    assert found["trustee", "capital gains, undiscounted"] == 200
    assert any(table.title == "Distribution" for table in tables_of(report))


def test_a_company_says_its_rate_test_and_both_taxes() -> None:
    profile = Profile("co", Policy(entity=Entity.COMPANY), turnover={2026: D(100000)})
    report = build_report(facts(profile=profile, tables=load_tables()))
    found = {line.what: line.amount for line in report.entity_lines}
    taxable = found["taxable income"]
    assert taxable is not None
    assert found["at the full rate"] == taxable * D("0.30")
    assert found["at the rate of base rate entities"] == taxable * D("0.25")
    assert any("base rate entity; passive income" in what for what in found)
    assert build_report(facts(tables=load_tables())).entity_lines == ()


def test_a_beneficiary_abroad_is_a_line_not_a_crash() -> None:
    deed = Deed((Beneficiary("Zoe", is_resident=False),))
    profile = Profile("t", Policy(entity=Entity.TRUST), deed=deed)
    (line,) = build_report(facts(profile=profile, tables=load_tables())).entity_lines
    assert "Zoe is not resident" in line.what
