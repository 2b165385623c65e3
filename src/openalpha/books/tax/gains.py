"""Classifies slices into gains and losses by the law in force on the day of the event.

Before 1 July 2027, and for companies and super funds ever after, a slice is one gain. From then on
an individual's or trust's slice of a parcel held over 30 June 2027 is two: the deferred one up to
the boundary under the old law, and the new one, indexed from the boundary.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from openalpha.books.tax.amounts import ZERO
from openalpha.books.tax.dates import BOUNDARY, REFORM_START, held_twelve_months
from openalpha.books.tax.entity import Entity, Policy, Refused
from openalpha.books.tax.indexation import Cpi
from openalpha.books.tax.slices import OpenItem, Slice

__all__ = [
    "CATEGORIES",
    "BoundaryValue",
    "Gain",
    "Law",
    "boundary_gain",
    "classify",
    "is_indexable",
    "may_discount",
    "old_law_totals",
    "summed_gains",
]

CATEGORIES = (
    "deferred_non_residential",
    "deferred_residential",
    "non_residential",
    "residential",
)
# From this day a foreign or temporary resident's discount is nil or apportioned.
_RESIDENCY_COUNTS_FROM = date(2012, 5, 9)
_CGT_STARTS = date(1985, 9, 20)
_PERSONAL_USE_LIMIT = Decimal(10000)


@dataclass(frozen=True, slots=True)
class BoundaryValue:
    """What a unit was worth at the end of 30 June 2027; None waits for the instrument."""

    unit: Decimal | None
    method: str = "market_value"


@dataclass(frozen=True, slots=True)
class Law:
    """What the law needs beyond the events: boundary values, index numbers, residential assets.

    `apportion` returns what a slice was worth at the end of 30 June 2027 by the method of the
    ministerial instrument (s 112-185), in AUD. None was made yet, so none ships with the program,
    and a holding that asks for it is refused.
    """

    boundary: Mapping[str, BoundaryValue] = field(default_factory=dict)
    cpi: Cpi = field(default_factory=Cpi)
    residential: frozenset[str] = frozenset()
    apportion: Callable[[Slice], Decimal] | None = None


class Gain(NamedTuple):
    """One capital gain (+) or loss (-) in AUD, before losses and discount.

    `cost_base` is what was subtracted where the law changed the slice's own. `rule` names why.
    """

    source: str
    day: date | None
    category: str
    amount: Decimal
    is_discountable: bool
    rule: str
    cost_base: Decimal | None = None
    slice: Slice | None = None
    unindexed: Decimal | None = None
    concession: Decimal = ZERO


def classify(
    slices: Iterable[Slice], policy: Policy, *, law: Law, open_items: list[OpenItem]
) -> list[Gain]:
    """Turn slices into gains and losses.

    Parameters
    ----------
    slices : iterable of Slice
        In the order they were made.
    policy : Policy
        Entity, residency and choices.
    law : Law
        Boundary values and index numbers.
    open_items : list of OpenItem
        What is missing is appended here; the figure is then the conservative one.

    Returns
    -------
    list of Gain
        One or two for each slice; a slice without gain or loss keeps its row, with zero.
    """
    gains: list[Gain] = []
    is_reformed = policy.entity.is_reformed
    for piece in slices:
        if piece.is_personal_use:
            gains.append(_personal_use(piece))
        elif _is_pre_cgt(piece) and piece.day < REFORM_START:
            gains.append(_disregarded(piece, "pre_cgt"))
        elif is_reformed and piece.day >= REFORM_START:
            gains += _reformed(piece, policy, law, open_items)
        else:
            gains.append(
                Gain(
                    piece.disposal,
                    piece.day,
                    _category(piece.asset, law, is_deferred=False),
                    piece.gain,
                    may_discount(piece, policy),
                    "gain",
                    None,
                    piece,
                )
            )
    return gains


def old_law_totals(
    slices: Iterable[Slice], policy: Policy
) -> tuple[Decimal, Decimal, Decimal] | None:
    """Return discountable gains, other gains and losses of slices under the law to 2026-27.

    The sums `classify` would lead to, without a row for each slice; None where a slice needs
    more than that (the new law, personal use, an asset from before CGT).
    """
    long_gain = other = loss = ZERO
    is_reformed = policy.entity.is_reformed
    for piece in slices:
        if piece.is_personal_use or _is_pre_cgt(piece) or (is_reformed and piece.day > BOUNDARY):
            return None
        gain = piece.gain
        if gain <= 0:
            loss -= gain
        elif may_discount(piece, policy):
            long_gain += gain
        else:
            other += gain
    return long_gain, other, loss


def summed_gains(
    slices: Sequence[Slice], policy: Policy, *, law: Law, open_items: list[OpenItem]
) -> list[Gain]:
    """Return gains whose sums are those of `classify`, in a few rows where the law allows it."""
    totals = None if law.residential else old_law_totals(slices, policy)
    if totals is None:
        return classify(slices, policy, law=law, open_items=open_items)
    day = slices[-1].day if slices else None
    long_gain, other, loss = totals
    rows = ((long_gain, True), (other, False), (-loss, False))
    return [Gain("sum", day, "non_residential", a, long, "gain") for a, long in rows if a]


def may_discount(piece: Slice, policy: Policy, *, event: date | None = None) -> bool:
    """Say whether holding period, entity, agreement and residency allow the discount."""
    day = piece.day if event is None else event
    if policy.entity is Entity.COMPANY or not held_twelve_months(piece.acquired, day):
        return False
    if piece.kind not in ("A1", "C1", "C2", "K4"):
        return False
    if piece.agreed is None and not policy.residency:
        return True
    if piece.agreed is not None and not held_twelve_months(piece.acquired, piece.agreed):
        return False  # s 115-40: sold under an agreement made within 12 months
    first = max(piece.acquired or day, _RESIDENCY_COUNTS_FROM)
    return not any(period.touches(first, day) for period in policy.residency)


def is_indexable(acquired: date | None, event: date, *, policy: Policy) -> bool:
    """Say whether a cost base is indexed at an event: 12 months owned, resident throughout.

    The deemed sale of 30 June 2027 does not restart the 12 months. The residency test runs from
    the later of 1 July 2027 and acquisition.

    Examples
    --------
    >>> is_indexable(date(2025, 8, 11), date(2028, 1, 2), policy=Policy())
    True
    """
    if event < REFORM_START or not policy.entity.is_reformed:
        return False
    if not held_twelve_months(acquired, event):
        return False
    first = max(acquired or event, REFORM_START)
    return not any(period.touches(first, event) for period in policy.residency)


def boundary_gain(
    piece: Slice, value: Decimal, *, policy: Policy
) -> tuple[Decimal, bool, Decimal, Decimal]:
    """Return the deferred gain of a straddling slice at its boundary value.

    Returns
    -------
    tuple
        Gain or loss in AUD, whether it is discountable, its cost base, and the costs spent later.
    """
    after = _spent_after_boundary(piece)
    cost = piece.cost - after[0]
    third = piece.third - after[1]
    surplus = value - cost
    gain = max(surplus - third, ZERO) if third and surplus > 0 else surplus
    is_long = may_discount(piece, policy, event=BOUNDARY)
    return gain, is_long, cost + third, after[0] + after[1]


def _reformed(piece: Slice, policy: Policy, law: Law, open_items: list[OpenItem]) -> list[Gain]:
    acquired = piece.acquired
    is_straddling = acquired is not None and acquired <= BOUNDARY
    is_resident = not any(
        period.touches(max(acquired or piece.day, _RESIDENCY_COUNTS_FROM), piece.day)
        for period in policy.residency
    )
    if not is_straddling or not is_resident:
        return [_new_gain(piece, policy, law, open_items, None)]
    known = law.boundary.get(piece.asset)
    if known is None:
        text = (
            f"{piece.asset} was held over 30 June 2027 and its value that day is not stated; the "
            "whole gain counts as new and unindexed until it is"
        )
        open_items.append(OpenItem("missing_boundary_value", piece.disposal, text))
        return [_new_gain(piece, policy, law, open_items, piece.cost)]
    value = _boundary_value(piece, known, law)
    amount, is_long, cost_base, _ = boundary_gain(piece, value, policy=policy)
    if _is_pre_cgt(piece):  # s 112-175: the gain to the boundary stays exempt
        amount, is_long = ZERO, False
    deferred = Gain(
        piece.disposal,
        piece.day,
        _category(piece.asset, law, is_deferred=True),
        amount,
        is_long,
        "deferred_gain",
        cost_base,
        piece,
    )
    return [deferred, _new_gain(piece, policy, law, open_items, value)]


def _boundary_value(piece: Slice, known: BoundaryValue, law: Law) -> Decimal:
    if known.unit is not None:
        return known.unit * piece.qty
    if law.apportion is None:
        raise Refused(
            "the apportioning method waits for the ministerial instrument (s 112-185), which is "
            "not in this program; state the market value of 30 June 2027"
        )
    return law.apportion(piece)


def _new_gain(
    piece: Slice, policy: Policy, law: Law, open_items: list[OpenItem], start: Decimal | None
) -> Gain:
    """Return the gain from 1 July 2027 on; `start` is the value a straddling slice began with."""
    later_cost, later_third = _spent_after_boundary(piece)
    if start is None:
        plain, third = piece.cost, piece.third
    else:
        plain, third = start + later_cost, later_third
    reduced = plain + piece.sale_cost
    indexed = plain
    rule = "short_hold"
    if is_indexable(piece.acquired, piece.day, policy=policy):
        indexed, rule = _indexed(piece, law, open_items, start)
    cost_base = indexed + third + piece.sale_cost
    if piece.proceeds > cost_base:
        amount = piece.proceeds - cost_base
    else:
        amount = min(piece.proceeds - reduced, ZERO)
        rule = "loss_not_indexed" if amount < 0 else "between_cost_bases"
    category = _category(piece.asset, law, is_deferred=False)
    unindexed = max(piece.proceeds - reduced - third, ZERO) if amount >= 0 else amount
    return Gain(
        piece.disposal, piece.day, category, amount, False, rule, cost_base, piece, unindexed
    )


def _indexed(
    piece: Slice, law: Law, open_items: list[OpenItem], start: Decimal | None
) -> tuple[Decimal, str]:
    total = ZERO
    costs = _own_costs(piece) if start is None else [(REFORM_START, start), *_later_costs(piece)]
    for spent, amount in costs:
        if not law.cpi.covers(spent, piece.day):
            text = "an index number is missing; the cost is not indexed until the table has it"
            open_items.append(OpenItem("missing_cpi", piece.disposal, text))
            return sum((amount for _, amount in costs), ZERO), "indexation_open"
        total += amount * law.cpi.factor(spent, piece.day)
    return total, "indexation"


def _own_costs(piece: Slice) -> list[tuple[date | None, Decimal]]:
    later = _later_costs(piece)
    first = piece.cost - sum((amount for _, amount in later), ZERO)
    return [(piece.acquired, first), *later]


def _later_costs(piece: Slice) -> list[tuple[date | None, Decimal]]:
    """Costs of elements 1, 2, 4 and 5 spent after acquisition and after the boundary."""
    parcel = piece.parcel
    if parcel is None or not parcel.later:
        return []
    part = piece.qty / parcel.qty
    return [
        (outlay.day, outlay.amount * part)
        for outlay in parcel.later
        if outlay.element != 3 and outlay.day is not None and outlay.day >= REFORM_START
    ]


def _spent_after_boundary(piece: Slice) -> tuple[Decimal, Decimal]:
    parcel = piece.parcel
    if parcel is None or not parcel.later:
        return ZERO, ZERO
    part = piece.qty / parcel.qty
    late = [o for o in parcel.later if o.day is not None and o.day >= REFORM_START]
    cost = sum((o.amount for o in late if o.element != 3), ZERO) * part
    third = sum((o.amount for o in late if o.element == 3), ZERO) * part
    return cost, third


def _category(asset: str, law: Law, *, is_deferred: bool) -> str:
    name = "residential" if asset in law.residential else "non_residential"
    return f"deferred_{name}" if is_deferred else name


def _is_pre_cgt(piece: Slice) -> bool:
    return piece.acquired is not None and piece.acquired < _CGT_STARTS


def _disregarded(piece: Slice, rule: str) -> Gain:
    return Gain(piece.disposal, piece.day, "non_residential", ZERO, False, rule, None, piece)


def _personal_use(piece: Slice) -> Gain:
    """Disregard a personal use asset's loss always, its gain up to $10,000 of cost."""
    whole_cost = piece.parcel.cost if piece.parcel is not None else piece.cost
    is_exempt = piece.gain <= 0 or whole_cost <= _PERSONAL_USE_LIMIT
    amount = ZERO if is_exempt else piece.gain
    return Gain(
        piece.disposal,
        piece.day,
        "non_residential",
        amount,
        False,
        "personal_use",
        piece.cost_base,
        piece,
    )
