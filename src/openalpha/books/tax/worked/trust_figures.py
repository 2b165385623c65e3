"""Figures of trusts and their beneficiaries."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from openalpha.books.tax.amounts import ZERO
from openalpha.books.tax.trusts import Share, gross_up
from openalpha.books.tax.worked.comparing import Group
from openalpha.books.tax.worked.outcome import Outcome
from openalpha.books.tax.worked.row import Unsupported
from openalpha.books.tax.worked.stated import reductions_of

__all__ = ["TRUST_FIGURES"]


def _grossed_up(outcome: Outcome, expected: Any) -> Any:
    """Return every grossed-up amount of the distributions: their sum, or a list where asked."""
    rows: list[Decimal] = []
    for row in outcome.reading.facts.get("trust_distribution", []):
        discounted, net = row.number("discounted"), row.number("net_amount", "net")
        if discounted is not None:
            rows.append(gross_up(discounted, ["discount"]))
        if net is not None:
            rows.append(gross_up(net, reductions_of(row)))
    if not rows:
        raise Unsupported("the example has no trust distribution to gross up")
    return rows if isinstance(expected, list) else sum(rows, ZERO)


def _beneficiary(name: str) -> Callable[[Outcome, Any], Any]:
    def read(outcome: Outcome, _: Any) -> Any:
        if name not in outcome.shares:
            raise Unsupported(f"the example entitles no {name}")
        share = outcome.shares[name]
        return Group(share.extra_gain, lambda part, value: _share_part(share, part, value))

    return read


def _share_part(share: Share, name: str, expected: Any) -> Any:
    deferred = [g for g in share.gains if g.category.startswith("deferred")]
    others = [g for g in share.gains if not g.category.startswith("deferred")]
    old = sum((gain.amount for gain in deferred), ZERO)
    new = sum((gain.amount for gain in others), ZERO)
    long_gain = sum((gain.amount for gain in share.gains if gain.is_discountable), ZERO)
    attributable = list(share.attributable)
    values: dict[str, Any] = {
        "extra_gain": share.extra_gain,
        "capital_gain": share.extra_gain,
        "gain": share.extra_gain,
        "capital_gains": [gain.amount for gain in share.gains],
        "gains": [gain.amount for gain in share.gains],
        "total": share.extra_gain,
        "deferred": old,
        "deferred_gain": old,
        "deferred_non_residential_gain": old,
        "grossed_up": old if deferred else share.extra_gain,
        "post": new,
        "post_gain": new,
        "new_gain": new,
        "indexed_gain": new,
        "unindexed_gain": new,
        "non_residential_gain": new,
        "discountable_gain": long_gain,
        "discount_gain": long_gain,
        "discount_capital_gain": long_gain,
        "non_discountable_gain": share.extra_gain - long_gain,
        "other_gain": share.extra_gain - long_gain,
        "attributable": attributable if isinstance(expected, list) else sum(attributable, ZERO),
        "attributable_gain": attributable
        if isinstance(expected, list)
        else sum(attributable, ZERO),
        "attributable_gains": attributable,
        "net": share.statement.net,
        "net_capital_gain": share.statement.net,
        "18A": share.statement.net,
        "18H": share.statement.gross,
        "18V": share.statement.carried_forward,
        "discount": any(gain.is_discountable for gain in share.gains)
        if isinstance(expected, bool)
        else share.statement.discount,
        "indexation": share.entity.is_reformed and bool(others),
    }
    if name not in values:
        raise Unsupported(f"unknown figure of a beneficiary {name!r}")
    return values[name]


TRUST_FIGURES: dict[str, Callable[[Outcome, Any], Any]] = {
    "grossed_up": _grossed_up,
    "grossed_up_discount": _grossed_up,
    "individual": _beneficiary("individual"),
    "company": _beneficiary("company"),
    "trust_gain": lambda outcome, _: outcome.statement.gross,
    "trust_net_capital_gain": lambda outcome, _: outcome.statement.net,
}
