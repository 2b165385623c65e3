"""Figures an example may expect, by name: one function each, reading the outcome alone."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from openalpha.books.tax.amounts import ZERO
from openalpha.books.tax.dates import income_year
from openalpha.books.tax.entity import Entity
from openalpha.books.tax.events import Dispose, ForexItem, Swap
from openalpha.books.tax.gains import may_discount
from openalpha.books.tax.labels import cgt_labels
from openalpha.books.tax.revenue import profit_scheme
from openalpha.books.tax.worked.comparing import Group
from openalpha.books.tax.worked.index_lines import stated_index
from openalpha.books.tax.worked.outcome import Outcome
from openalpha.books.tax.worked.reform_figures import REFORM_FIGURES
from openalpha.books.tax.worked.row import Unsupported
from openalpha.books.tax.worked.slice_figures import SLICE_FIGURES, year_text
from openalpha.books.tax.worked.trust_figures import TRUST_FIGURES

__all__ = ["figure", "known_figures"]

Figure = Callable[[Outcome, Any], Any]


def figure(outcome: Outcome, name: str, *, expected: Any) -> Any:
    """Return a figure by its name.

    Parameters
    ----------
    outcome : Outcome
        A run example.
    name : str
        The expectation's name; a case of the example may also be named.
    expected : object
        What is expected: some names mean a sum, a flag or a list by its shape.

    Raises
    ------
    Unsupported
        If no figure of that name exists.
    """
    if name in outcome.cases:
        case = outcome.cases[name]
        return Group(case.statement.net, lambda part, value: figure(case, part, expected=value))
    known = _FIGURES.get(name)
    if known is None:
        raise Unsupported(f"unknown expectation {name!r}")
    return known(outcome, expected)


def known_figures() -> list[str]:
    """List every expectation that is understood, in alphabetical order."""
    return sorted([*_FIGURES, "must_not_equal", "must_raise"])


def _nested(outcome: Outcome, main: Any) -> Group:
    return Group(main, lambda name, value: figure(outcome, name, expected=value))


def _labels(outcome: Outcome, _: Any) -> Any:
    def part(name: str, value: Any) -> Any:
        if isinstance(value, Mapping):  # labels by income year
            years = {year_text(year): row for year, row in outcome.assessment.years.items()}
            if name not in years:
                raise Unsupported(f"nothing happened in the year {name!r}")
            return cgt_labels(years[name].statement, outcome.policy.entity)
        found = cgt_labels(outcome.statement, outcome.policy.entity)
        if name not in found:
            raise Unsupported(f"unknown label {name!r}")
        return found[name]

    return Group(None, part)


def _total_gain(outcome: Outcome) -> Decimal:
    return sum((gain.amount for gain in outcome.gains), ZERO)


def _gain(outcome: Outcome, _: Any) -> Decimal:
    """Return the gains of what was sold (losses off), else of everything; never below zero."""
    own = [gain.amount for gain in outcome.gains if gain.slice is not None]
    total = sum(own, ZERO) if own else _total_gain(outcome)
    return max(ZERO, total)


def _loss(outcome: Outcome, _: Any) -> Decimal:
    own = [gain.amount for gain in outcome.gains if gain.slice is not None]
    total = sum(own, ZERO) if own else _total_gain(outcome)
    return max(ZERO, -total)


def _sum_of(field: str) -> Figure:
    def total(outcome: Outcome, _: Any) -> Decimal:
        stated = stated_index(outcome.reading)
        if stated is not None:
            return stated.proceeds if field == "proceeds" else stated.indexed
        return sum((getattr(piece, field) for piece in outcome.real_slices), ZERO)

    return total


def _fees(outcome: Outcome, _: Any) -> Decimal:
    total = ZERO
    for piece in outcome.real_slices:
        total += piece.sale_cost
        if piece.parcel is not None:
            total += piece.parcel.fee * piece.qty / piece.parcel.qty
    return total


def _gain_before_fees(outcome: Outcome, expected: Any) -> Decimal:
    slices = outcome.real_slices
    return sum((piece.gain for piece in slices), ZERO) + _fees(outcome, expected)


def _ordinary_income(outcome: Outcome, _: Any) -> Decimal:
    return sum((row.amount for row in outcome.assessment.revenue if row.amount > 0), ZERO)


def _deductions(outcome: Outcome, _: Any) -> Decimal:
    return -sum((row.amount for row in outcome.assessment.revenue if row.amount < 0), ZERO)


def _last_disposal(outcome: Outcome) -> Dispose | Swap:
    found = [e for e in outcome.reading.events if isinstance(e, Dispose | Swap)]
    if not found:
        raise Unsupported("the example has no disposal")
    return found[-1]


def _eligible(outcome: Outcome, _: Any) -> bool:
    pieces = outcome.slices
    return bool(pieces) and all(may_discount(piece, outcome.policy) for piece in pieces)


def _discount(outcome: Outcome, expected: Any) -> Any:
    if isinstance(expected, bool):
        return any(gain.is_discountable for gain in outcome.gains)
    return outcome.statement.discount


def _forex(outcome: Outcome, *, sign: int, is_capital: bool | None) -> Decimal:
    total = ZERO
    for event in outcome.reading.events:
        if isinstance(event, ForexItem) and (is_capital in (None, event.is_capital)):
            total += max(ZERO, event.amount * sign)
    return total


def _capital(outcome: Outcome, _: Any) -> Group:
    return _nested(outcome, outcome.statement.net)


def _revenue(outcome: Outcome, _: Any) -> Group:
    years = profit_scheme(outcome.slices).values()
    profit = sum((row.assessable for row in years), ZERO)
    loss = sum((row.deductible for row in years), ZERO)
    values = {
        "cgt": "none",
        "deductible_loss": loss,
        "assessable_profit": profit,
        "assessable_income": profit,
        "result": profit - loss,
    }

    def part(name: str, _: Any) -> Any:
        if name not in values:
            raise Unsupported(f"unknown figure of a treatment {name!r}")
        return values[name]

    return Group(profit - loss, part)


def _wrong_order(outcome: Outcome, _: Any) -> Decimal:
    """Return the net gain if the discount came before the losses, which is wrong."""
    statement = outcome.statement
    discounted = ZERO
    for gain in outcome.gains:
        if gain.amount > 0:
            kept = 1 - outcome.policy.entity.discount if gain.is_discountable else Decimal(1)
            discounted += gain.amount * kept
    prior = sum((amount for _, amount in outcome.carry_in.prior_losses), ZERO)
    return discounted - statement.current_losses - prior


def _tax(outcome: Outcome, _: Any) -> Decimal:
    if outcome.policy.entity is Entity.COMPANY:
        return outcome.company.tax
    income = max(ZERO, outcome.net_income)
    if outcome.policy.entity is Entity.SMSF:
        return income * outcome.tables.rate("smsf", outcome.year).value
    return outcome.tables.income_tax(income, outcome.year)


def _rate(outcome: Outcome, _: Any) -> Decimal:
    if outcome.policy.entity is Entity.COMPANY:
        return outcome.company.rate
    return outcome.minimum.rate


def _wash(outcome: Outcome, _: Any) -> bool:
    return bool(outcome.assessment.wash)


def _still_counted(outcome: Outcome, _: Any) -> bool:
    flagged = sum((flag.loss for flag in outcome.assessment.wash), ZERO)
    return flagged > 0 and outcome.statement.current_losses >= flagged


def _continuing(outcome: Outcome, _: Any) -> Any:
    split = outcome.fact("chain_split")
    return split.text("from_asset") if split is not None else None


def _shortage(field: str) -> Figure:
    def total(outcome: Outcome, _: Any) -> Decimal:
        rows = [i for i in outcome.assessment.open_items if i.code == "missing_acquisition"]
        return sum((getattr(row, field) or ZERO for row in rows), ZERO)

    return total


def _trust(outcome: Outcome, _: Any) -> Group:
    def part(name: str, value: Any) -> Any:
        plain = {"gain": "trust_gain", "net": "net_capital_gain"}.get(name, name)
        return figure(outcome, plain, expected=value)

    return Group(outcome.statement.gross, part)


def _by_method(outcome: Outcome, expected: Any) -> Any:
    if not isinstance(expected, Mapping):
        raise Unsupported("by_method must be an object: method to figures")
    found: dict[str, Any] = {}
    for method, wanted in expected.items():
        other = outcome.under(method=method)
        if isinstance(wanted, list):
            rows_are_matches = all(isinstance(row, list) for row in wanted)
            name = "matches" if rows_are_matches else "disposals"
            found[method] = figure(other, name, expected=wanted)
        else:
            found[method] = _nested(other, _total_gain(other))
    return found


_FIGURES: dict[str, Figure] = {
    **SLICE_FIGURES,
    **REFORM_FIGURES,
    **TRUST_FIGURES,
    "trust": _trust,
    "labels": _labels,
    "18A": lambda outcome, _: outcome.statement.net,
    "18H": lambda outcome, _: outcome.statement.gross,
    "18V": lambda outcome, _: outcome.statement.carried_forward,
    "net_capital_gain": lambda outcome, _: outcome.net_capital_gain,
    "net": lambda outcome, _: outcome.net_capital_gain,
    "net_income": lambda outcome, _: outcome.net_income,
    "after_losses": lambda outcome, _: outcome.statement.after_losses,
    "carried_forward": lambda outcome, _: outcome.statement.carried_forward,
    "distributed_loss": lambda outcome, _: ZERO,
    "wrong_order": _wrong_order,
    "by_method": _by_method,
    "income_year": lambda outcome, _: year_text(income_year(_last_disposal(outcome).day)),
    "local_date": lambda outcome, _: _last_disposal(outcome).day.isoformat(),
    "gain": _gain,
    "capital_gain": _gain,
    "loss": _loss,
    "capital_loss": _loss,
    "gain_total": lambda outcome, _: _total_gain(outcome),
    "total_gain": lambda outcome, _: _total_gain(outcome),
    "gain_before_fees": _gain_before_fees,
    "fees_allocated": _fees,
    "proceeds": _sum_of("proceeds"),
    "cost_base": _sum_of("cost_base"),
    "reduced_cost_base": _sum_of("reduced_cost_base"),
    "income_at_receipt": _ordinary_income,
    "ordinary_income": _ordinary_income,
    "assessable_income": _ordinary_income,
    "deductions": _deductions,
    "continuing_original": _continuing,
    "discount_eligible": _eligible,
    "discount": _discount,
    "forex_realisation_loss": lambda o, _: _forex(o, sign=-1, is_capital=None),
    "forex_realisation_gain": lambda o, _: _forex(o, sign=1, is_capital=None),
    "capital_loss_k11": lambda o, _: _forex(o, sign=-1, is_capital=True),
    "capital_gain_k10": lambda o, _: _forex(o, sign=1, is_capital=True),
    "base_rate_entity": lambda outcome, _: outcome.company.is_base_rate,
    "rate": _rate,
    "tax": _tax,
    "income_tax": _tax,
    "tax_at_30": lambda outcome, _: outcome.company.tax_at_full_rate,
    "tax_at_25": lambda outcome, _: outcome.company.tax_at_base_rate,
    "taxable_income": lambda outcome, _: max(ZERO, outcome.net_income),
    "capital_treatment": _capital,
    "revenue_treatment": _revenue,
    "wash_sale_flag": _wash,
    "loss_still_counted": _still_counted,
    "found": _shortage("found"),
    "missing": _shortage("missing"),
    "status": lambda outcome, _: outcome.assessment.status,
}
