"""What only some returns have: a trust's distribution, a company's tax and its losses."""

from collections.abc import Iterator
from decimal import Decimal

from openalpha.books.report.assessing import Found
from openalpha.books.report.facts import Facts
from openalpha.books.report.model import FormLine
from openalpha.books.tax.amounts import ZERO
from openalpha.books.tax.company_year import company_years
from openalpha.books.tax.entity import Entity, Refused
from openalpha.books.tax.rates import Tables
from openalpha.books.tax.trust_year import trust_year

__all__ = ["entity_lines"]

_ITEM = "trust return, statement of distribution, item 58; capital gains at F [K]"
_TEST = "base rate entity: ITRA 1986 ss 23AA, 23AB [3P]"


def entity_lines(facts: Facts, found: Found) -> tuple[FormLine, ...]:
    """Return the lines a trust's or a company's return needs beside the labels; none for others.

    What the engine refuses to work out (a beneficiary abroad) is a line that says so.
    """
    tables = facts.tables
    if tables is None or facts.policy.entity not in (Entity.TRUST, Entity.COMPANY):
        return ()
    make = _trust if facts.policy.entity is Entity.TRUST else _company
    try:
        return tuple(make(facts, found, tables))
    except Refused as error:
        return (FormLine("", error.message, None, "", ""),)


def _trust(facts: Facts, found: Found, tables: Tables) -> Iterator[FormLine]:
    profile = facts.profile
    other = profile.other_income.get(facts.year, ZERO)
    done = trust_year(found.result, profile.deed, tables=tables, other_income=other)
    for person in done.beneficiaries:
        name = f"{person.name}, {person.entity.value}"
        yield FormLine(name, "share of income", person.income, _ITEM, "ATO")
        yield FormLine(name, "share of the trust's net capital gain", person.attributable, _ITEM,
                       "LAW")  # fmt: skip
        yield FormLine(
            name, "capital gains at 18H, grossed up", person.grossed_up, "s 115-215", "LAW"
        )
        yield FormLine(
            name, "net capital gain after own losses and discount", person.statement.net,
            "s 115-215; no other gains known", "LAW",
        )  # fmt: skip
    trustee = done.trustee
    if trustee.income or trustee.gains:
        rate = f"{trustee.rate * 100:.0f} %"
        yield FormLine("trustee", "income nobody is entitled to", trustee.income, "s 99A", "K")
        yield FormLine("trustee", "capital gains, undiscounted", trustee.gains, "s 99A", "K")
        yield FormLine("trustee", f"tax on both at {rate}", trustee.tax, "s 99A", "K")
    if done.loss_kept:
        yield FormLine("trust", "loss that stays in the trust", done.loss_kept, "Div 6", "ATO")
    yield from (FormLine("", text, None, "", "") for text in done.problems)


def _company(facts: Facts, found: Found, tables: Tables) -> Iterator[FormLine]:
    years = dict(found.record.years) | {facts.year: found.result}
    done = company_years(years, facts.profile, tables=tables)[facts.year]
    tax = done.tax
    word = "a base rate entity" if tax.is_base_rate else "not a base rate entity"
    share = "unknown" if done.passive_share is None else f"{done.passive_share * 100:.1f} %"
    who = facts.profile.name
    yield FormLine(who, f"{word}; passive income {share}", None, _TEST, "3P")
    yield FormLine(who, "taxable income", tax.taxable_income, "these books and the file", "D")
    yield FormLine(who, f"tax at {_percent(tax.rate)}", tax.tax, _TEST, "3P")
    yield FormLine(who, "at the rate of base rate entities", tax.tax_at_base_rate, _TEST, "3P")
    yield FormLine(who, "at the full rate", tax.tax_at_full_rate, _TEST, "3P")
    for row in done.losses:
        yield FormLine(
            who, f"{row.wallet} losses carried forward", row.closing, "Div 36, 165", "LAW"
        )
        if row.barred:
            yield FormLine(who, f"{row.wallet} losses barred", row.barred, "Div 165", "LAW")
    yield FormLine("", done.franking_note, None, "", "")
    yield from (FormLine("", text, None, "", "") for text in done.problems)


def _percent(rate: Decimal) -> str:
    return f"{rate * 100:.0f} %"
