"""Figures of the regime from 1 July 2027: indexation, deferred gains, steps, minimum tax."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from openalpha.books.tax.amounts import ZERO
from openalpha.books.tax.dates import BOUNDARY, held_twelve_months
from openalpha.books.tax.gains import CATEGORIES, is_indexable, may_discount
from openalpha.books.tax.worked.comparing import Group, OneOf
from openalpha.books.tax.worked.index_lines import index_lines, stated_index
from openalpha.books.tax.worked.outcome import Outcome
from openalpha.books.tax.worked.row import Unsupported, parse_decimal

__all__ = ["REFORM_FIGURES"]


def _by_category(outcome: Outcome, *names: str) -> Decimal:
    rows = [gain for gain in outcome.gains if gain.category in names]
    return sum((gain.amount for gain in rows), ZERO)


def _deferred(outcome: Outcome, *names: str) -> Decimal:
    """Return deferred gains: crystallised ones, and those of parcels still held."""
    chosen = names or ("deferred_non_residential", "deferred_residential")
    total = _by_category(outcome, *chosen)
    for parcel in outcome.assessment.parcels:
        value = outcome.law.boundary.get(parcel.asset)
        is_old = parcel.acquired is not None and parcel.acquired <= BOUNDARY
        is_residential = parcel.asset in outcome.law.residential
        kind = "deferred_residential" if is_residential else "deferred_non_residential"
        if value is not None and value.unit is not None and is_old and kind in chosen:
            total += value.unit * parcel.left - parcel.cost_left
    return total


def _reported_2027(outcome: Outcome, _: Any) -> Decimal:
    year = outcome.assessment.years.get(2027)
    return year.statement.net if year is not None else ZERO


def _new_cost_base(outcome: Outcome, _: Any) -> Decimal:
    total = ZERO
    for parcel in outcome.assessment.parcels:
        value = outcome.law.boundary.get(parcel.asset)
        if value is not None and value.unit is not None:
            total += value.unit * parcel.left
    for piece in outcome.slices:
        value = outcome.law.boundary.get(piece.asset)
        if value is not None and value.unit is not None and piece.day > BOUNDARY:
            total += value.unit * piece.qty
    return total


def _post_unindexed(outcome: Outcome, _: Any) -> Decimal:
    rows = [g for g in outcome.gains if not g.category.startswith("deferred")]
    return sum((g.amount if g.unindexed is None else g.unindexed for g in rows), ZERO)


def _factor(outcome: Outcome, expected: Any) -> Any:
    factors = [line.factor for line in index_lines(outcome.reading)]
    if not factors:
        factors = [
            outcome.law.cpi.factor(gain.slice.acquired, gain.slice.day)
            for gain in outcome.gains
            if gain.slice is not None and gain.rule != "short_hold"
        ]
    if not factors:
        raise Unsupported("the example indexes nothing")
    if isinstance(expected, list):
        return factors if len(expected) == len(factors) else list(dict.fromkeys(factors))
    return factors[0]


def _indexed_cost(outcome: Outcome, expected: Any) -> Any:
    rows = [line.indexed for line in index_lines(outcome.reading)]
    if not rows:
        rows = [gain.cost_base for gain in outcome.gains if gain.cost_base is not None]
    return rows if isinstance(expected, list) else sum(rows, ZERO)


def _indexed_cost_base(outcome: Outcome, expected: Any) -> Any:
    stated = stated_index(outcome.reading)
    if stated is not None:
        return stated.indexed
    total = ZERO
    for gain in outcome.gains:
        piece = gain.slice
        if piece is None or gain.category.startswith("deferred") or gain.cost_base is None:
            continue
        total += gain.cost_base
    return total


def _indexation(outcome: Outcome, _: Any) -> bool:
    pieces = outcome.slices
    return bool(pieces) and all(
        is_indexable(piece.acquired, piece.day, policy=outcome.policy) for piece in pieces
    )


def _twelve_months(outcome: Outcome, expected: Any) -> Any:
    pieces = outcome.slices
    is_met = bool(pieces) and all(held_twelve_months(p.acquired, p.day) for p in pieces)
    if isinstance(expected, str):
        words = ("met", "passed", "satisfied") if is_met else ("not met", "failed", "not satisfied")
        return OneOf({word: word for word in words})
    return is_met


def _is_minimum_tax(outcome: Outcome) -> bool:
    facts = outcome.reading.facts
    return "minimum_tax_capital_gain" in facts or "given_basic_liability" in facts


def _step(name: str) -> Callable[[Outcome, Any], Any]:
    return lambda outcome, expected: _one_step(outcome, name, expected)


def _one_step(outcome: Outcome, name: str, expected: Any) -> Any:
    """Return one step: of the minimum tax, or what a step of the method statement left."""
    if _is_minimum_tax(outcome):
        return outcome.minimum.steps[name]
    steps = outcome.statement.steps
    if name not in steps:
        raise Unsupported(f"the method statement has no {name}")
    left = steps[name]
    if isinstance(expected, Mapping):
        return Group(None, lambda key, _: _step_part(left, key))
    if isinstance(expected, list):
        return [left[category] for category in CATEGORIES if category in left]
    before = steps.get(f"step{int(name[4:]) - 1}", {})
    ways = {"in total": sum(left.values(), ZERO)}
    for category, amount in left.items():
        if category in before and before[category] != amount:
            ways[category] = amount
    return OneOf(ways)


def _step_part(left: Mapping[str, Decimal], key: str) -> Decimal:
    plain = key.removesuffix("_gain").removesuffix("_gains").removesuffix("_capital")
    if plain in ("total", "net_capital", "net", "remaining"):
        return sum(left.values(), ZERO)
    if plain not in left:
        raise Unsupported(f"a step has no category {key!r}")
    return left[plain]


def _numbered(outcome: Outcome, number: int, value: Any) -> Any:
    """Return a step of a list; an object may carry its own number as `step`."""
    if not isinstance(value, Mapping) or "step" not in value:
        return _one_step(outcome, f"step{number}", value)
    own = int(parse_decimal(value["step"], what="step"))
    step = _one_step(outcome, f"step{own}", value)
    if not isinstance(step, Group) or step.part is None:
        return step
    inner = step.part
    return Group(None, lambda key, given: Decimal(own) if key == "step" else inner(key, given))


def _steps(outcome: Outcome, expected: Any) -> Any:
    if isinstance(expected, list):
        return [_numbered(outcome, i + 1, value) for i, value in enumerate(expected)]

    def part(name: str, value: Any) -> Any:
        named = [category for category in CATEGORIES if category in name]
        if named and not isinstance(value, Mapping | list):
            value = {max(named, key=len): value}
        digits = "".join(letter for letter in name if letter.isdigit())
        if not digits:
            raise Unsupported(f"unknown step {name!r}")
        step = _one_step(outcome, f"step{digits}", value)
        if named and isinstance(step, Group) and step.part is not None:
            return step.part(max(named, key=len), value)
        return step

    return Group(None, part)


def _is_deferred_discountable(outcome: Outcome, _: Any) -> bool:
    pieces = [p for p in outcome.slices if p.acquired is not None and p.acquired <= BOUNDARY]
    return bool(pieces) and all(may_discount(p, outcome.policy, event=BOUNDARY) for p in pieces)


REFORM_FIGURES: dict[str, Callable[[Outcome, Any], Any]] = {
    "deferred_gain": lambda o, _: max(ZERO, _deferred(o)),
    "deferred_loss": lambda o, _: max(ZERO, -_deferred(o)),
    "deferred_non_residential_gain": lambda o, _: _deferred(o, "deferred_non_residential"),
    "deferred_residential_gain": lambda o, _: _deferred(o, "deferred_residential"),
    "deferred_discountable": _is_deferred_discountable,
    "non_residential_gain": lambda o, _: _by_category(o, "non_residential"),
    "residential_gain": lambda o, _: _by_category(o, "residential"),
    "post_gain": lambda o, _: _by_category(o, "non_residential", "residential"),
    "new_gain": lambda o, _: _by_category(o, "non_residential", "residential"),
    "indexed_gain": lambda o, _: _by_category(o, "non_residential", "residential"),
    "post_gain_before_indexation": _post_unindexed,
    "unindexed_gain": _post_unindexed,
    "reported_2026_27": _reported_2027,
    "new_cost_base": _new_cost_base,
    "indexation": _indexation,
    "indexation_12_month_test": _twelve_months,
    "factor": _factor,
    "factors": _factor,
    "indexed_cost": _indexed_cost,
    "indexed_costs": _indexed_cost,
    "indexed_cost_base": _indexed_cost_base,
    "steps": _steps,
    **{f"step{number}": _step(f"step{number}") for number in range(1, 8)},
    "minimum_tax_capital_gain": lambda o, _: o.minimum.gain,
    "gap": lambda o, _: o.minimum.gap,
    "minimum_tax_gap": lambda o, _: o.minimum.gap,
    "tax_with": lambda o, _: o.minimum.tax_with,
    "tax_without": lambda o, _: o.minimum.tax_without,
    "pre_2027_answer": lambda o, _: o.under_old_law().net,
}
