"""Shows an entity's year in words and figures: trust statements, a company's tax, plain results."""

from typing import TYPE_CHECKING, Any

from openalpha.cli.conventions import Screen
from openalpha.cli.tax_plan_show import cents

if TYPE_CHECKING:
    from collections.abc import Iterable
    from decimal import Decimal

    from openalpha.books.tax.company_year import LossRow
    from openalpha.books.tax.entity_year import Assessed, EntityYear
    from openalpha.books.tax.trust_year import BeneficiaryYear

__all__ = ["show_company", "show_plain", "show_trust"]


def show_trust(screen: Screen, found: "Assessed", year: int) -> dict[str, Any]:
    """Show a trust's year: a statement for every beneficiary, and what falls to the trustee."""
    from openalpha.books.tax.tables import load_tables
    from openalpha.books.tax.trust_year import trust_year

    other = found.profile.other_income.get(year)
    more = {} if other is None else {"other_income": other}
    done = trust_year(found.years[year], found.profile.deed, tables=load_tables(), **more)
    _head(screen, found, found.years[year])
    for person in done.beneficiaries:
        _statement(screen, person)
    trustee = done.trustee
    if trustee.income or trustee.gains:
        screen.show(
            "The trustee (s 99A)"
            f"\n  income                                {_aud(trustee.income)}"
            f"\n  capital gains, undiscounted           {_aud(trustee.gains)}"
            f"\n  tax at {trustee.rate:.0%}                            {_aud(trustee.tax)}",
        )
    if done.loss_kept:
        screen.show(f"A loss of {done.loss_kept:,.2f} stays in the trust")
    for text in done.problems:
        screen.show(f"! {text}")
    people = [
        {
            "name": person.name,
            "kind": person.entity,
            "income": cents(person.income),
            "capital_gains_attributable": cents(person.attributable),
            "capital_gains_grossed_up": cents(person.grossed_up),
            "net_capital_gain": cents(person.statement.net),
            "gains": [
                {
                    "source": gain.source,
                    "category": gain.category,
                    "amount": cents(gain.amount),
                    "is_discountable": gain.is_discountable,
                }
                for gain in person.gains
            ],
        }
        for person in done.beneficiaries
    ]
    return {
        "net_income": cents(done.net_income),
        "net_capital_gain": cents(done.net_capital_gain),
        "beneficiaries": people,
        "trustee": {
            "income": cents(trustee.income),
            "gains": cents(trustee.gains),
            "rate": trustee.rate,
            "tax": cents(trustee.tax),
        },
        "loss_kept": cents(done.loss_kept),
        "problems": list(done.problems),
    }


def show_company(screen: Screen, found: "Assessed", year: int) -> dict[str, Any]:
    """Show a company's year: rate test, tax at either rate, losses by wallet, franking."""
    from openalpha.books.tax.company_year import company_years
    from openalpha.books.tax.tables import load_tables

    done = company_years(found.years, found.profile, tables=load_tables())[year]
    _head(screen, found, found.years[year])
    tax = done.tax
    word = "a base rate entity" if tax.is_base_rate else "not a base rate entity"
    share = "unknown" if done.passive_share is None else f"{done.passive_share:.1%}"
    screen.show(
        f"{word}: passive income {share} of the assessable income"
        f"\n  taxable income                        {_aud(tax.taxable_income)}"
        f"\n  tax at {tax.rate:.0%}                            {_aud(tax.tax)}"
        f"\n    at the full rate                    {_aud(tax.tax_at_full_rate)}"
        f"\n    at the base rate                    {_aud(tax.tax_at_base_rate)}"
    )
    screen.show("losses, each wallet apart      opening     made  applied  closing   barred")
    for row in done.losses:
        figures = (row.opening, row.made, row.applied, row.closing, row.barred)
        screen.show(f"  {row.wallet:24}" + "".join(f"{amount:>12,.2f}" for amount in figures))
    screen.show(f"Franking: {done.franking_note}")
    for text in done.problems:
        screen.show(f"! {text}")
    return {
        "net_capital_gain": cents(done.net_capital_gain),
        "trading_result": cents(done.trading_result),
        "passive_share": done.passive_share,
        "tax": {
            "taxable_income": cents(tax.taxable_income),
            "is_base_rate": tax.is_base_rate,
            "rate": tax.rate,
            "tax": cents(tax.tax),
            "at_full_rate": cents(tax.tax_at_full_rate),
            "at_base_rate": cents(tax.tax_at_base_rate),
        },
        "losses": [
            {"wallet": row.wallet} | {name: cents(amount) for name, amount in _amounts(row)}
            for row in done.losses
        ],
        "franking": done.franking_note,
        "problems": list(done.problems),
    }


def show_plain(screen: Screen, found: "Assessed", year: int) -> dict[str, Any]:
    """Show an individual's or fund's year: what goes into the return."""
    result = found.years[year]
    _head(screen, found, result)
    return {
        "net_capital_gain": cents(result.statement.net),
        "gains_before_losses": cents(result.statement.gross),
        "losses_carried": cents(result.statement.carried_forward),
        "income": cents(result.income),
        "deductions": cents(result.deductions),
        "result": cents(result.result),
    }


def _amounts(row: "LossRow") -> "Iterable[tuple[str, Decimal]]":
    found: dict[str, Any] = row._asdict()
    return [(name, amount) for name, amount in found.items() if name != "wallet"]


def _head(screen: Screen, found: "Assessed", year: "EntityYear") -> None:
    rows = (
        ("gains before losses and discount", year.statement.gross),
        ("net capital gain", year.statement.net),
        ("losses carried forward", year.statement.carried_forward),
        ("income apart from gains", year.income),
        ("deductions", year.deductions),
    )
    name = f"{found.profile.name}, {found.profile.entity}, {year.year - 1}-{year.year % 100:02d}"
    screen.show(f"{name} (general information, not tax advice)")
    for words, amount in rows:
        screen.show(f"  {words:36}  {_aud(amount)}")


def _statement(screen: Screen, person: "BeneficiaryYear") -> None:
    screen.show(f"Statement for {person.name} ({person.entity})")
    rows = (
        ("share of net income", person.income),
        ("capital gains, after the trust's discount", person.attributable),
        ("capital gains to declare, grossed up", person.grossed_up),
        ("net capital gain after own losses, discount", person.statement.net),
    )
    for words, amount in rows:
        screen.show(f"  {words:44}  {_aud(amount)}")
    for gain in person.gains:
        long = ", discountable" if gain.is_discountable else ""
        screen.show(f"    of {gain.source[:24]}: {gain.amount:,.2f} ({gain.category}{long})")


def _aud(amount: "Decimal") -> str:
    return f"{amount:>16,.2f}"
