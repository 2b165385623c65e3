"""Lets a figure explain itself: the chain from a label to disposals, parcels, rules and sources.

Nothing is stored for this; every line is worked out anew from the assessment.
"""

from collections.abc import Iterator
from decimal import Decimal

from openalpha.books.tax.amounts import ZERO, exact, rounded
from openalpha.books.tax.assessment import Assessment, YearResult
from openalpha.books.tax.dates import first_eligible_day
from openalpha.books.tax.entity import Refused
from openalpha.books.tax.gains import Gain
from openalpha.books.tax.labels import label_texts
from openalpha.books.tax.rules import MARKS, RULES
from openalpha.books.tax.slices import Slice

__all__ = ["explain"]


def explain(assessment: Assessment, what: str, *, year: int | None = None) -> list[str]:
    """Return the lines that explain a label or a disposal.

    Parameters
    ----------
    assessment : Assessment
        What `assess` returned.
    what : str
        A label ("18A", "18H", "18V") or the id of a disposal.
    year : int or None
        Income year of a label, by the year it ends; the last one when None.

    Raises
    ------
    Refused
        If there is neither a label nor a disposal of that name.
    """
    with exact():
        pieces = [piece for piece in assessment.slices if piece.disposal == what]
        if pieces:
            return list(_disposal(assessment, pieces))
        names = label_texts(assessment.policy.entity)
        if what not in names or not assessment.years:
            known = ", ".join(names)
            raise Refused(f"there is no disposal and no label {what!r}; labels are {known}")
        last = max(assessment.years) if year is None else year
        if last not in assessment.years:
            raise Refused(f"nothing happened in the income year that ends in {last}")
        return list(_label(assessment, what, assessment.years[last]))


def _label(assessment: Assessment, what: str, result: YearResult) -> Iterator[str]:
    label = label_texts(assessment.policy.entity)[what]
    statement = result.statement
    figure = {
        "H": statement.gross,
        "A": statement.net,
        "V": statement.carried_forward,
    }.get(what[-1], statement.gross)
    yield f"{what}, {label.text}, {result.year - 1}-{result.year % 100:02d}: {_aud(figure)}"
    yield _cite(label.source, label.mark)
    yield f"  gains before losses and discount      {_aud(statement.gross):>18}"
    yield f"  losses of the year                    {_aud(-statement.applied_current):>18}"
    yield f"  losses of earlier years               {_aud(-statement.applied_prior):>18}"
    if statement.quarantined_applied:
        yield f"  quarantined rental amounts            {_aud(-statement.quarantined_applied):>18}"
    yield f"  discount                              {_aud(-statement.discount):>18}"
    yield f"  net capital gain                      {_aud(statement.net):>18}"
    yield f"  losses carried forward                {_aud(statement.carried_forward):>18}"
    yield from _rules("seven_steps" if "step7" in statement.steps else "losses", "discount")
    yield "from these gains and losses:"
    for gain in result.gains:
        lot = f" of {gain.slice.lot}" if gain.slice is not None else ""
        long = ", discountable" if gain.is_discountable else ""
        yield f"  {gain.source}{lot}: {_aud(gain.amount)} ({gain.category}{long})"


def _disposal(assessment: Assessment, pieces: list[Slice]) -> Iterator[str]:
    first = pieces[0]
    total = sum((piece.proceeds for piece in pieces), ZERO)
    qty = sum((piece.qty for piece in pieces), ZERO)
    yield (
        f"{first.disposal}: {qty:f} {first.asset} on {first.day.isoformat()}, "
        f"CGT event {first.kind}, proceeds {_aud(total)}"
    )
    gains = assessment.gains
    used = {"parcels", "cost_base"}
    for piece in pieces:
        yield from _slice_lines(piece)
        for gain in gains:
            if gain.slice is not None and _is_same(gain.slice, piece):
                yield from _gain_lines(gain)
                used |= {gain.rule} | ({"discount"} if gain.is_discountable else set())
    yield from _rules(*sorted(used))


def _is_same(one: Slice, other: Slice) -> bool:
    return one.disposal == other.disposal and one.parcel is other.parcel


def _slice_lines(piece: Slice) -> Iterator[str]:
    parcel = piece.parcel
    if parcel is None:
        yield f"  {piece.qty:f} without an acquisition: cost counts as zero until it is found"
        return
    bought = "on an unknown day" if parcel.acquired is None else parcel.acquired.isoformat()
    yield f"  {piece.qty:f} of parcel {parcel.id} ({parcel.kind}), acquired {bought}"
    for outlay in parcel.outlays():
        part = outlay.amount * piece.qty / parcel.qty
        yield f"    element {outlay.element} of the cost base       {_aud(part):>16}"
    if piece.sale_cost:
        yield f"    element 2, costs of the sale     {_aud(piece.sale_cost):>16}"
    yield f"    proceeds                         {_aud(piece.proceeds):>16}"
    if parcel.acquired is not None:
        first = first_eligible_day(parcel.acquired)
        verdict = "reached" if piece.day >= first else "not reached"
        yield f"    12 months from {first.isoformat()} on: {verdict} on {piece.day.isoformat()}"


def _gain_lines(gain: Gain) -> Iterator[str]:
    cost = gain.cost_base
    if cost is None and gain.slice is not None:
        cost = gain.slice.cost_base
    name = "gain" if gain.amount >= 0 else "loss"
    base = "" if cost is None else f", cost base {_aud(cost)}"
    long = ", discountable" if gain.is_discountable else ""
    yield f"    {name} ({gain.category}{long})  {_aud(gain.amount)}{base}"


def _rules(*names: str) -> Iterator[str]:
    for name in names:
        rule = RULES[name]
        yield f"rule: {rule.text}"
        yield _cite(rule.source, rule.mark)


def _cite(source: str, mark: str) -> str:
    return f"  source: {source} [{mark}: {MARKS[mark]}]"


def _aud(amount: Decimal) -> str:
    return f"{rounded(amount):,.2f}"
