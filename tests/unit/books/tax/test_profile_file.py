"""An entity's file: every word is read, and what is wrong is named."""

from datetime import date
from decimal import Decimal

import pytest

from openalpha.books.entities import TEMPLATES, template_of
from openalpha.books.tax import Entity, Method, Treatment
from openalpha.books.tax.entity import StockValue
from openalpha.books.tax.profile_file import read_profile
from openalpha.core.errors import InputError

D = Decimal
WHOLE = """
schema = "openalpha.tax.entity/1"
kind = "trust"
full_name = "The Family Trust"
time_zone = "Australia/Perth"
support_years = ["2027-28"]
business_loss_years = ["2025-26"]
deed_allows_streaming = true
[choices]
method = "hifo"
treatment = "revenue_trading_stock"
derivatives = "capital"
funding_received = "proceeds"
venue_deposit = "disposal"
rebates = "income"
stock_value = "market"
stock_prices = { BTC = "150000" }
per_wallet = true
transfer_fee_to_cost_base = false
wash_window_days = 45
[other_income]
"2025-26" = "90000.50"
[gifts]
"2027-28" = 500
[turnover]
"2025-26" = "1"
[passive_share]
"2025-26" = "0.4"
[[treatments]]
portfolio = "trend"
treatment = "capital"
since = 2025-07-01
value = "market"
values = { BTC = "165000" }
reason = "held for years"
signer = "me"
[portfolios]
trend = "bybit unified"
[[agent]]
item = "refer_change"
word = "no change of ownership"
signer = "me"
[[venues]]
name = "Bybit"
deposit = "transfer"
terms = "https://example.org/terms"
day = 2026-07-01
sha256 = "abababababababababababababababababababababababababababababababab"
[[residency]]
status = "foreign"
from = 2020-01-01
to = 2020-12-31
[[losses]]
year = "2022-23"
amount = "12.5"
wallet = "revenue"
evidence = "notice"
test = "ownership"
[[beneficiaries]]
name = "Kim"
losses = "7"
[[beneficiaries]]
name = "Pty"
kind = "company"
is_resident = false
[[resolutions]]
year = "2025-26"
kind = "gains"
day = 2026-08-20
gains = ["s1"]
shares = { Kim = "0.5", Pty = "0.5" }
"""


def test_every_word_reaches_the_profile() -> None:
    found = read_profile("t", WHOLE)
    policy = found.policy
    assert (found.entity, found.full_name, found.time_zone) == (
        Entity.TRUST,
        "The Family Trust",
        "Australia/Perth",
    )
    assert (policy.method, policy.treatment) == (Method.HIFO, Treatment.REVENUE_TRADING_STOCK)
    assert (policy.derivatives, policy.funding_received) == ("capital", "proceeds")
    assert (policy.venue_deposit, policy.rebates) == ("disposal", "income")
    assert (policy.stock_value, policy.stock_prices) == (StockValue.MARKET, {"BTC": D(150000)})
    assert (policy.per_wallet, policy.transfer_fee_to_cost_base) == (True, False)
    assert policy.wash_window_days == 45
    assert policy.residency[0].touches(date(2020, 6, 1), date(2020, 6, 1))
    assert found.other_income == {2026: D("90000.50")}
    assert (found.gifts, found.support_years) == ({2028: D(500)}, frozenset({2028}))
    assert (found.turnover, found.passive_share) == ({2026: D(1)}, {2026: D("0.4")})
    (choice,) = found.choices
    assert (choice.portfolio, choice.value, choice.values) == (
        "trend",
        "market",
        {"BTC": D(165000)},
    )
    assert found.portfolios.of("bybit unified") == "trend"
    assert [(row.item, row.signer) for row in found.agent] == [("refer_change", "me")]
    assert found.business_loss_years == {2026}
    (terms,) = found.venues
    assert (terms.venue, terms.deposit, terms.day) == ("bybit", "transfer", date(2026, 7, 1))
    assert found.ending(["bybit", "okx"]) == {"okx"}, "its own terms go before the standing word"
    (loss,) = found.losses
    assert (loss.year, loss.amount, loss.wallet, loss.test) == (
        2023, D("12.5"), "revenue", "ownership"
    )  # fmt: skip
    assert found.carry_in().prior_losses == ()
    kim, pty = found.deed.beneficiaries
    assert (kim.losses, pty.entity, pty.is_resident) == (D(7), Entity.COMPANY, False)
    (made,) = found.deed.resolutions
    assert (made.kind, made.day, made.gains) == ("gains", date(2026, 8, 20), ("s1",))
    assert found.deed.allows_streaming


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('kind = "trust"', 'kind = "club"', "kind was 'club'"),
        ('method = "hifo"', 'method = "average"', "TD 33"),
        ("[choices]", "[choices]\nmood = 1", "choices: mood is no word here"),
        ('full_name = "The', 'name = "The', "name is no word here"),
        ('"90000.50"', "90000.50", "other_income: 2025-26 was 90000.5"),
        ('"90000.50"', '"-1"', "expected an amount in quotes"),
        ('"2025-26" = "90000', '"2025" = "90000', "written 2025-26"),
        ("since = 2025-07-01", 'since = "July"', "since was 'July'"),
        ("since = 2025-07-01", "", "lacks since"),
        ('signer = "me"', "", "treatments 1 lacks signer"),
        ('Pty = "0.5"', 'Joe = "0.5"', "Joe is none of the"),
        ('Pty = "0.5"', 'Pty = "0.6"', "together at most 1"),
        ("Australia/Perth", "Perth", "no time zone"),
        ("per_wallet = true", 'per_wallet = "yes"', "expected true or false"),
        ("wash_window_days = 45", "wash_window_days = true", "expected an amount"),
        ('support_years = ["2027-28"]', "support_years = [2027]", "a list of texts"),
        ("openalpha.tax.entity/1", "openalpha.tax.entity/9", "another version"),
        ("[[residency]]", "[residency", "not TOML"),
        ('item = "refer_change"', 'item = "missing_rate"', "item was 'missing_rate'"),
        ('deposit = "transfer"', 'deposit = "lent"', "deposit was 'lent'"),
        ('terms = "https', 'notes = "https', "lacks terms"),
        ('sha256 = "ab', 'sha256 = "xy', "expected 64 hex digits"),
        ('word = "no change of ownership"', "", "agent 1 lacks word"),
        ('status = "foreign"', 'status = "away"', "status was 'away'"),
    ],
)
def test_what_is_wrong_is_named(old: str, new: str, words: str) -> None:
    assert old in WHOLE
    with pytest.raises(InputError, match=words.replace("[", r"\[")):
        read_profile("t", WHOLE.replace(old, new, 1))


@pytest.mark.parametrize("kind", TEMPLATES)
def test_a_template_is_a_file_and_every_comment_in_it_too(kind: str) -> None:
    text = template_of(kind)
    assert read_profile("x", text).policy.entity == kind
    said = read_profile("x", "\n".join(_uncommented(text)))
    assert said.losses
    assert said.choices
    assert bool(said.deed.resolutions) == (kind == "trust")
    assert bool(said.turnover) == (kind == "company")


def _uncommented(text: str) -> list[str]:
    """The file with its examples taken out of their comments, top words first."""
    first, rest = [], []
    for line in text.splitlines():
        plain = line.removeprefix("# ")
        if plain.startswith(("support_years", "business_loss", "deed_allows")):
            first.append(plain)
        elif not plain.startswith("wallet ="):
            rest.append(plain)
    return [*first, *rest]
