"""The first page: whose report, by which law and choices, and why it may still be a draft."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import date

from openalpha.books.report.assessing import Found
from openalpha.books.report.facts import Facts
from openalpha.books.report.model import OpenLine, RateLine, Said
from openalpha.books.tax.dates import REFORM_START, income_year
from openalpha.books.tax.entity import StockValue, Treatment
from openalpha.books.tax.events import Dispose

__all__ = ["DISCLAIMER", "SYNTHETIC", "draft_reasons", "first_page", "rate_families"]

DISCLAIMER = "General information worked out by a program, not tax advice."
SYNTHETIC = "SYNTHETIC"
_FORMS_OF = 2026

_TREATMENTS = {
    Treatment.CAPITAL: "capital account: gains and losses, with discount",
    Treatment.REVENUE_PROFIT_SCHEME: "revenue account, profit-making scheme: no discount",
    Treatment.REVENUE_TRADING_STOCK: "revenue account, trading stock: no discount",
}


def first_page(facts: Facts, found: Found, *, wash: int) -> tuple[Said, ...]:
    """Return every line of the first page but the hashes, which are known last."""
    return (
        *_who(facts),
        *_how(facts, found),
        *_prices(facts),
        *_perpetuals(facts),
        *_fees(facts),
        *_brought(facts),
        *_to_look_at(facts, found, wash=wash),
        Said("Engine", f"OpenAlpha {facts.origin.version}"),
        *_simulated(facts),
    )


def _simulated(facts: Facts) -> Iterator[Said]:
    if facts.origin.simulated:
        where = facts.origin.simulated
        yield Said("Environment", f"{where}: no real money was moved, this goes on no return")


def _who(facts: Facts) -> Iterator[Said]:
    profile = facts.profile
    full = f" ({profile.full_name})" if profile.full_name else ""
    yield Said("Entity", f"{profile.name}{full}, {profile.entity.value}")
    periods = [
        f"{period.status} {_day(period.start, 'always')} to {_day(period.end, 'now')}"
        for period in facts.policy.residency
    ]
    residency = "; ".join(periods)
    if not residency:
        residency = "not declared; worked out as an Australian resident throughout"
    yield Said("Tax residency", residency)
    yield Said("Time zone", f"{profile.time_zone}: whose days these are", "no ATO page found", "D")


def _day(day: date | None, open_end: str) -> str:
    return open_end if day is None else day.isoformat()


def _how(facts: Facts, found: Found) -> Iterator[Said]:
    year = facts.year
    is_new = year >= income_year(REFORM_START) and facts.policy.entity.is_reformed
    law = "law of the day of each event, as known in November 2026; "
    if is_new:
        law += "seven-step method statement, indexation and minimum tax"
        yield Said("Law", law, "Act No. 49 of 2026", "EM")
    else:
        yield Said("Law", law + "five-step method statement", "ITAA 1997 s 102-5", "LAW")
    forms = "labels of the 2026 forms (2025-26)"
    if year != _FORMS_OF:
        forms += "; check the letters on this year's form"
    yield Said("Forms", forms)
    who = facts.signature
    since = f" since {who.since.isoformat()}" if who.since is not None else ""
    why = f": {who.reason}" if who.reason else "; no reason was given"
    chosen = f"{_TREATMENTS[facts.policy.treatment]}; chosen by {who.chosen_by}{since}{why}"
    yield Said("Treatment", chosen, "question of fact: TR 97/11, QC 66047", "ATO")
    for choice in facts.profile.choices:
        name = choice.portfolio or "what belongs to no portfolio"
        words = f"{_TREATMENTS[choice.treatment]}; by {choice.signer} since {choice.since}"
        yield Said(f"Treatment of {name}", f"{words}: {choice.reason}")
    for said in facts.profile.agent:
        item = said.item.replace("_", " ")
        yield Said(f"Agent's word on {item}", f"{said.word}; stated by {said.signer}")
    yield Said("Parcel method", _method(facts, found), "TD 33", "3P")
    scope = "wallet" if facts.policy.per_wallet else "entity, all venues together"
    yield Said("Parcels are pooled by", scope, "", "D")
    if facts.policy.treatment is Treatment.REVENUE_TRADING_STOCK:
        value = facts.policy.stock_value
        source = "ITAA 1997 s 70-45"
        at = "cost" if value is StockValue.COST else f"{value.value} value"
        yield Said("Closing stock at", at, source, "LAW")


def _method(facts: Facts, found: Found) -> str:
    asked, used = facts.policy.method.value, found.order.method.value
    words = asked if asked == used else f"{asked}, which settled on {used}"
    kept = [
        f"{year - 1}-{year % 100:02d} {order.method.value}"
        for year, order in sorted(facts.orders.items())
        if year < facts.year
    ]
    return words + (
        f"; locked years keep {', '.join(kept)}" if kept else "; no earlier year locked"
    )


def _prices(facts: Facts) -> Iterator[Said]:
    policy = (
        "each coin at its market price in AUD, else in USD or USDT times the published AUD rate of "
        "the day; a stablecoin is priced, never taken for a dollar; a published rate is carried at "
        "most five days; nothing is averaged"
    )
    market = facts.profile.aud_market
    if market:
        own = f"each coin at its price in AUD on {market}, at most five minutes old"
        policy = f"{own}; what is not traded there: {policy}"
    yield Said("AUD rates", policy, "ATO QC 69948, QC 18020", "ATO")
    families = rate_families(facts.rates)
    shown = "; ".join(f"{name} ({count:,})" for name, count in families[:8])
    more = len(families) - 8
    if more > 0:
        shown += f"; {more:,} more"
    yield Said("Rate sources", shown or "none was needed: amounts were stated in AUD")


def rate_families(rates: Iterable[RateLine]) -> list[tuple[str, int]]:
    """Count conversions by who said the rate, days and numbers left out.

    Examples
    --------
    >>> from decimal import Decimal
    >>> rows = [RateLine("USD", "", Decimal("1.5"), "RBA F11.1 2026-01-05, A$1 = 0.66 USD")]
    >>> rate_families(rows)
    [('RBA F11.1', 1)]
    """
    return Counter(" × ".join(map(_family, r.source.split(" × "))) for r in rates).most_common()


def _family(source: str) -> str:
    known = re.match(r"(SYNTHETIC )?(RBA F11\.1|ECB)", source)
    if known:
        return known[0]
    return re.sub(r"\s*\d{4}-\d\d-\d\d\S*|\s*\(carried[^)]*\)", "", source).strip()


def _perpetuals(facts: Facts) -> Iterator[Said]:
    policy = facts.policy
    if policy.derivatives == "revenue":
        words = "revenue account: results, fees and funding when realised or charged"
    else:
        words = "capital account without discount, fees and funding folded in"
    yield Said("Perpetuals", words, "TR 2005/15 by analogy; no ATO page on crypto", "D")
    if policy.derivatives != "revenue":
        yield Said("Funding received", policy.funding_received, "", "D")
    words = "transfer, ownership continues"
    if policy.venue_deposit != "transfer":
        words = "disposal where contracts are traded, ownership ends: a claim is held there"
    yield Said("Deposits to a venue", words, "PA 1051882521018 went the other way", "PA")
    for row in facts.profile.venues:
        digest = f", sha256 {row.sha256[:16]}" if row.sha256 else ""
        terms = f"its terms of {row.day}, {row.terms}{digest}"
        yield Said(f"Deposits to {row.venue}", row.deposit, terms, "D")


def _fees(facts: Facts) -> Iterator[Said]:
    policy = facts.policy
    text = "the fee coin is disposed of at its value, which joins the cost of the trade"
    yield Said("Fee in a coin", text, "ATO QC 67444", "ATO")
    on = policy.transfer_fee_to_cost_base
    text = "joins the cost of the coins left" if on else "joins no cost base"
    yield Said("Network fee of own transfers", text, "ATO community answer", "3P")
    text = "lower the cost, raise the proceeds" if policy.rebates == "cost" else "income"
    yield Said("Maker rebates", text, "", "D")


def _brought(facts: Facts) -> Iterator[Said]:
    rows = []
    for loss in facts.profile.losses:
        name = f"{loss.year - 1}-{loss.year % 100:02d}"
        barred = "" if facts.profile.may_use(loss) else ", barred until a test of Div 165 is passed"
        evidence = loss.evidence or "none was named"
        rows.append(f"{name} {loss.wallet} {loss.amount:,.2f}{barred} (evidence: {evidence})")
    yield Said("Losses brought in", "; ".join(rows) or "none from outside these books")


def _to_look_at(facts: Facts, found: Found, *, wash: int) -> Iterator[Said]:
    days = facts.policy.wash_window_days
    window = f"losses with a purchase within {days} days: {wash}; each stays counted"
    yield Said("Wash sales", window, "TR 2008/1; the window is ours", "ATO")
    sold = {piece.disposal for _, piece in found.slices}
    personal = [e for e in facts.events if isinstance(e, Dispose) and e.is_personal_use]
    claims = sum(event.id in sold for event in personal)
    yield Said("Personal use claims", str(claims))
    balances = facts.balances
    right = sum(row.verdict == "right" for row in balances)
    words = f"{right} of {len(balances)} balances right to 8 decimals"
    settled = sum(row.verdict == "settled" for row in balances)
    if settled:
        words += f", {settled} settled by a person"
    if not balances:
        words = "no imported file states a balance"
    yield Said("Reconciliation at year end", words)
    yield Said("Settled by a person", f"items listed with their reasons: {len(facts.settled)}")


def draft_reasons(facts: Facts, found: Found, *, items: Sequence[OpenLine]) -> tuple[str, ...]:
    """Say why a report cannot be final; nothing where it can."""
    reasons = []
    if not facts.is_over:
        reasons.append("the income year has not ended")
    reasons += facts.draft_for
    for code, count in sorted(Counter(item.code for item in items).items()):
        reasons.append(f"{count:,} × {code.replace('_', ' ')}")
    wrong = [row for row in facts.balances if row.verdict == "wrong"]
    reasons += [
        f"{row.venue} {row.account} {row.coin}: stated and moved differ by "
        f"{row.difference.normalize():f}"
        for row in wrong
    ]
    return tuple(reasons)
