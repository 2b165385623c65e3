"""Lets a figure explain itself: from a label to disposals, parcels, rules, sources and fills.

Nothing is stored for this; every line is worked out anew from the assessment.
"""

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal

from openalpha.books.tax.amounts import ZERO, exact, rounded
from openalpha.books.tax.assessment import Assessment
from openalpha.books.tax.dates import first_eligible_day
from openalpha.books.tax.entity import Refused
from openalpha.books.tax.entity_year import Assessed, EntityYear, assessed_alone
from openalpha.books.tax.gains import Gain
from openalpha.books.tax.labels import cgt_labels, label_texts
from openalpha.books.tax.rules import MARKS, RULES
from openalpha.books.tax.slices import Revenue, Slice

__all__ = ["Origin", "explain", "explain_revenue"]

Origin = Callable[[str], Iterable[str]]
"""Returns the lines that say where an event comes from: file, line, what it states, its rates."""

_SCHEDULE = ("1J", "2A", "2B", "2C", "2E", "3A", "4A", "6A")


def _unknown(event: str) -> Iterable[str]:
    del event
    return ()


def explain(
    assessment: Assessment | Assessed,
    what: str,
    *,
    year: int | None = None,
    origin: Origin = _unknown,
) -> list[str]:
    """Return the lines that explain a label or a disposal.

    Parameters
    ----------
    assessment : Assessment or Assessed
        What `assess` or `assess_profile` returned.
    what : str
        A label ("18A", "18H", "18V", "6A"), or the id of a disposal.
    year : int or None
        Income year of a label, by the year it ends; the last one when None.
    origin : callable
        Tells where an event comes from.

    Raises
    ------
    Refused
        If there is neither a label nor a disposal of that name.
    """
    whole = assessed_alone(assessment) if isinstance(assessment, Assessment) else assessment
    with exact():
        pieces = [piece for piece in whole.slices if piece.disposal == what]
        if pieces:
            return list(_disposal(whole, pieces, origin))
        names = label_texts(whole.profile.entity)
        if (what not in names and what not in _SCHEDULE) or not whole.years:
            known = ", ".join((*names, *_SCHEDULE))
            raise Refused(f"there is no disposal and no label {what!r}; labels are {known}")
        return list(_label(whole, what, _year(whole, year), origin))


def explain_revenue(
    found: Assessed,
    title: str,
    *,
    chosen: Callable[[Revenue], bool],
    year: int | None = None,
    origin: Origin = _unknown,
) -> list[str]:
    """Return the lines that explain a figure on revenue account: each amount with its source.

    Parameters
    ----------
    title : str
        The figure's name.
    chosen : callable
        Which rows belong to it.
    """
    with exact():
        result = _year(found, year)
        rows = [row for row in result.revenue if chosen(row)]
        total = sum((row.amount for row in rows), ZERO)
        lines = [f"{title}, {_name(result.year)}: {_aud(abs(total))}"]
        for kind in sorted({row.kind for row in rows}):
            mine = [row for row in rows if row.kind == kind]
            part = sum((row.amount for row in mine), ZERO)
            lines.append(f"  {kind.replace('_', ' ')}: {_aud(part)} in {len(mine)}")
            for row in mine:
                when = "" if row.day is None else f" on {row.day.isoformat()}"
                lines.append(f"    {row.event}{when}: {_aud(row.amount)}")
                lines += [f"      {line}" for line in origin(row.event)]
        return [*lines, *_rules("revenue")]


def _year(found: Assessed, year: int | None) -> EntityYear:
    if not found.years:
        raise Refused("nothing was realised in any year")
    last = max(found.years) if year is None else year
    if last not in found.years:
        raise Refused(f"nothing happened in the income year that ends in {last}")
    return found.years[last]


def _label(found: Assessed, what: str, result: EntityYear, origin: Origin) -> Iterator[str]:
    statement = result.statement
    figure = cgt_labels(statement, found.profile.entity)[what]
    shown = figure if isinstance(figure, str) else _aud(figure)
    label = label_texts(found.profile.entity).get(what)
    text = "CGT schedule" if label is None else label.text
    yield f"{what}, {text}, {_name(result.year)}: {shown}"
    if label is not None:
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
        yield from (f"    {line}" for line in origin(gain.source))


def _name(year: int) -> str:
    return f"{year - 1}-{year % 100:02d}"


def _disposal(found: Assessed, pieces: list[Slice], origin: Origin) -> Iterator[str]:
    first = pieces[0]
    total = sum((piece.proceeds for piece in pieces), ZERO)
    qty = sum((piece.qty for piece in pieces), ZERO)
    yield (
        f"{first.disposal}: {qty:f} {first.asset} on {first.day.isoformat()}, "
        f"CGT event {first.kind}, proceeds {_aud(total)}"
    )
    yield from (f"  {line}" for line in origin(first.disposal))
    gains = [gain for year in found.years.values() for gain in year.gains]
    used = {"parcels", "cost_base"} | ({"k4"} if first.kind == "K4" else set())
    is_capital = False
    for piece in pieces:
        yield from _slice_lines(piece)
        if piece.lot is not None:
            yield from (f"    {line}" for line in origin(piece.lot))
        for gain in gains:
            if gain.slice is not None and _is_same(gain.slice, piece):
                is_capital = True
                yield from _gain_lines(gain)
                used |= {gain.rule} | ({"discount"} if gain.is_discountable else set())
    if not is_capital:
        result = sum((piece.proceeds - piece.cost_base for piece in pieces), ZERO)
        yield f"  on revenue account, without CGT: proceeds less cost {_aud(result)}"
        used |= {"revenue"}
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
