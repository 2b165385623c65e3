"""Choices of an entity act on imported records as on our own: rebates, deposits at a venue."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from openalpha.books.imports.history import ImportedHistory
from openalpha.books.imports.records import OWN_FAMILY, Kind
from openalpha.books.imports.storing import Settlement
from openalpha.books.tax import Policy, assess
from openalpha.books.tax.entity_year import Assessed, assess_profile
from openalpha.books.tax.profile import Profile, VenueTerms
from tests.fakes.imported import DAY_MS, NOON_MS, bought, history, moves, record

D = Decimal
LATER = NOON_MS + DAY_MS
OWN = {"family": OWN_FAMILY}


def under(*records: Any, **choices: str) -> tuple[ImportedHistory, Assessed]:
    profile = Profile("me", Policy(**choices))  # type: ignore[arg-type]
    found = history(*records, profile=profile)
    return found, assess_profile(found.events, profile)


def totals(done: Assessed) -> tuple[Decimal, Decimal]:
    """Return the gains, and the income on revenue account."""
    years = done.years.values()
    return sum((y.statement.gross for y in years), D(0)), sum((y.income for y in years), D(0))


@pytest.mark.parametrize("more", [{}, OWN], ids=["imported", "our own"])
@pytest.mark.parametrize(
    ("rebates", "expected"),
    [
        # 1 BTC bought for 150000 less 15, sold for 150000 and 15; and 20 USDT of 1.5 held
        ("cost", (D(30), D(0))),
        ("income", (D(0), D(30))),
    ],
)
def test_a_rebate_in_a_coin_is_what_the_entity_chose(
    more: dict[str, str], rebates: str, expected: tuple[Decimal, Decimal]
) -> None:
    rows = (
        bought("1 BTC, -150000 AUD", fee="-10 USDT", **more),
        bought("-1 BTC, 150000 AUD", fee="-10 USDT", at=LATER, line=3, **more),
    )
    _, done = under(*rows, rebates=rebates)
    assert totals(done) == expected
    held = done.parts[""].parcels
    assert [(p.asset, p.left, p.cost_left) for p in held] == [("USDT", D(10), D(15))] * 2


@pytest.mark.parametrize(("rebates", "income"), [("cost", D(0)), ("income", D(7))])
def test_a_rebate_in_dollars_and_on_a_swap(rebates: str, income: Decimal) -> None:
    rows = (
        bought("1 BTC, -150000 AUD"),
        bought("30 ETH, -1 BTC", fee="-7 AUD", at=LATER, line=3),
    )
    _, done = under(*rows, rebates=rebates)
    # 30 ETH are 120000: a loss of 30000, or of 7 less where the rebate raised the proceeds
    (piece,) = done.slices
    assert (piece.gain, totals(done)[1]) == (D(-30000) + 7 - income, income)


def test_a_rebate_of_no_trade_is_income() -> None:
    for rebates in ("cost", "income"):
        row = record(Kind.INCOME, "10 USDT", label="rebate")
        assert totals(under(row, rebates=rebates)[1]) == (D(0), D(15))


def at_venue() -> list[Any]:
    """Bought on one venue, sent to another that trades contracts, and half of it sent back."""
    kraken = {"venue": "kraken", "account": ""}
    profit = record(Kind.CONTRACT, "100 USDT", at=LATER + 7, label="pnl", contract="BTCUSDT")
    return [
        bought("1000 USDT, -1400 AUD", **kraken),
        record(Kind.WITHDRAWAL, "-1000 USDT", at=LATER, fees=(), line=3, **kraken),
        record(Kind.DEPOSIT, "998 USDT", at=LATER + 5, line=4),
        profit,
        record(Kind.WITHDRAWAL, "-500 USDT", at=LATER + DAY_MS, line=6, fees=moves("1 USDT")),
        record(Kind.DEPOSIT, "500 USDT", at=LATER + DAY_MS + 9, line=7, **kraken),
    ]


def test_a_deposit_that_ends_ownership_is_a_sale_for_a_claim() -> None:
    _, plain = under(*at_venue())
    assert {p.qty for p in plain.slices} == {D(2), D(1)}, "transfers: only fees are sold"
    found, done = under(*at_venue(), venue_deposit="disposal")
    assert found.open_items == []
    # sold at 1.5 what cost 1.4: 998 to the venue with 2 of fee; back: 501 of the claim for 500
    pieces = [(p.kind, p.asset, p.qty, p.gain) for p in done.slices]
    assert pieces == [
        ("A1", "USDT", D(998), D("96.80")),  # 99.80 less the fee's 3
        ("A1", "USDT", D(2), D("0.20")),
        ("C2", "USDT at bybit", D(501), D("-1.50")),
    ]
    held = {p.asset: p.left for p in done.parts[""].parcels if p.asset == "USDT"}
    claims = sum(p.left for p in done.parts[""].parcels if p.asset == "USDT at bybit")
    assert (held, claims) == ({"USDT": D(500)}, D(597)), "998 + 100 - 501"
    assert totals(done)[1] == D(150), "the contract's profit, in AUD"


def test_a_venues_own_terms_go_before_the_standing_choice() -> None:
    terms = (VenueTerms("bybit", "transfer", "https://example.org", date(2026, 1, 1)),)
    profile = Profile("me", Policy(venue_deposit="disposal"), venues=terms)
    kept = history(*at_venue(), profile=profile)
    assert kept.events == history(*at_venue()).events
    ended = (VenueTerms("bybit", "disposal", "https://example.org", date(2026, 1, 1)),)
    sold = history(*at_venue(), profile=Profile("me", venues=ended))
    policy = Policy(venue_deposit="disposal")
    assert sold.events == history(*at_venue(), profile=Profile("me", policy)).events


def test_a_deposit_from_a_wallet_of_ones_own_is_a_sale_too() -> None:
    _, _, sent, profit, *_ = at_venue()
    said = {sent.key: Settlement("own", None, "from my hardware wallet")}
    profile = Profile("me", Policy(venue_deposit="disposal"))
    found = history(sent, profit, settlements=said, profile=profile)
    made = {(type(event).__name__, getattr(event, "asset", "")) for event in found.events}
    assert made >= {("Dispose", "USDT"), ("Acquire", "USDT at bybit")}
    done = assess(found.events, profile.policy)
    assert [item.code for item in done.open_items] == ["missing_acquisition"], "what it cost"
