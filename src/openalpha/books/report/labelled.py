"""Labels of the return with their figures: capital gains, income and deductions, the schedule."""

from collections.abc import Iterable
from decimal import Decimal

from openalpha.books.report.assessing import Found
from openalpha.books.report.model import Earning, LabelLine
from openalpha.books.tax.amounts import ZERO, whole_dollars
from openalpha.books.tax.entity import Entity
from openalpha.books.tax.labels import cgt_labels, label_texts

__all__ = ["earning_label", "label_lines", "schedule_lines", "step_lines"]

AGENT = "–"
_FORM = {
    Entity.INDIVIDUAL: "Individual tax return 2026",
    Entity.TRUST: "Trust tax return 2026",
    Entity.COMPANY: "Company tax return 2026",
    Entity.SMSF: "SMSF annual return 2026",
}
_EARNINGS = {
    "10L": ("gross interest", "question 10", "ATO"),
    "24": ("other income (category to confirm)", "supplementary section, question 24", "3P"),
    "D15": ("other deductions", "supplementary section, question D15", "3P"),
}
_ORDER = ("10L", "24", "D15")
_SCHEDULE = {
    "1J": "total current year capital gains",
    "2A": "total current year capital losses",
    "2B": "current year losses applied",
    "2C": "prior year losses applied",
    "2E": "total losses applied",
    "3A": "net capital losses carried forward",
    "4A": "total CGT discount applied",
    "6A": "net capital gain",
}


def earning_label(entity: Entity, kind: str, *, amount: Decimal, is_money: bool) -> str:
    """Name where an amount on revenue account goes; a dash where an agent places it.

    Parameters
    ----------
    kind : str
        Of the revenue row: interest, staking, derivative_pnl, ...
    amount : Decimal
        In AUD; below 0 a deduction.
    is_money : bool
        Whether it was paid in money, not in a coin.

    Examples
    --------
    >>> earning_label(Entity.INDIVIDUAL, "interest", amount=Decimal(5), is_money=True)
    '10L'
    """
    if entity is not Entity.INDIVIDUAL:
        return AGENT
    if kind == "interest" and is_money and amount > 0:
        return "10L"
    return "24" if amount > 0 else "D15"


def label_lines(found: Found, rows: Iterable[Earning], *, entity: Entity) -> tuple[LabelLine, ...]:
    """Return every label of the entity's form that these books know, in the form's order."""
    values = cgt_labels(found.result.statement, entity)
    lines = []
    for name, label in label_texts(entity).items():
        value = values[name]
        exact = value if isinstance(value, Decimal) else None
        shown = value if exact is None else _dollars(exact)
        lines.append(LabelLine(name, label.text, exact, shown, label.source, label.mark))
    if entity is Entity.INDIVIDUAL:
        lines.append(
            LabelLine("18M", "exemption or rollover applied", ZERO, "0", "none is worked out", "D")
        )
    return (*lines, *_earning_lines(list(rows), entity))


def _earning_lines(rows: list[Earning], entity: Entity) -> list[LabelLine]:
    form = _FORM[entity]
    if entity is not Entity.INDIVIDUAL:
        income = sum((row.amount for row in rows if row.amount > 0), ZERO)
        paid = -sum((row.amount for row in rows if row.amount < 0), ZERO)
        where = f"{form}: your agent places it"
        return [
            LabelLine(AGENT, "income on revenue account", income, _dollars(income), where, "K"),
            LabelLine(AGENT, "deductions on revenue account", paid, _dollars(paid), where, "K"),
        ]
    lines = []
    for name in _ORDER:
        text, where, mark = _EARNINGS[name]
        total = abs(sum((row.amount for row in rows if row.label == name), ZERO))
        lines.append(LabelLine(name, text, total, _dollars(total), f"{form}, {where}", mark))
    return lines


def schedule_lines(found: Found, *, entity: Entity) -> tuple[LabelLine, ...]:
    """Return the CGT schedule; people do not lodge it, its figures are theirs all the same."""
    values = cgt_labels(found.result.statement, entity)
    return tuple(
        LabelLine(name, text, values[name], _dollars(values[name]), "CGT schedule", "3P")
        for name, text in _SCHEDULE.items()
    )


def step_lines(found: Found) -> tuple[tuple[str, Decimal], ...]:
    """Return how the net capital gain adds up, in words."""
    row = found.result.statement
    lines = [
        ("capital gains before losses and discount", row.gross),
        ("less losses of this year", -row.applied_current),
        ("less net losses of earlier years", -row.applied_prior),
        ("gains after losses", row.after_losses),
        ("less discount", -row.discount),
        ("net capital gain", row.net),
        ("net capital losses carried forward", row.carried_forward),
    ]
    if row.quarantined_applied:
        lines.insert(4, ("less quarantined rental amounts", -row.quarantined_applied))
    if row.minimum_tax_gain:
        lines.append(("gain that bears the minimum tax of 30 %", row.minimum_tax_gain))
    return tuple(lines)


def _dollars(amount: Decimal) -> str:
    return f"{whole_dollars(amount):,}"
