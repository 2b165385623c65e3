"""The formulas of the workbook: the net capital gain worked out live over the disposals' rows."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from openalpha.books.report.model import Disposal, TaxReport
from openalpha.books.report.tables import Table
from openalpha.books.tax.amounts import ZERO

__all__ = ["FIRST", "GAIN", "HEAD", "Live", "Working", "column_name", "gain_formula", "span"]

HEAD, FIRST = 3, 4
"""Rows of every sheet, counted from 0: the columns' names, and the first row below them."""

PROCEEDS, COST, OWNING, GAIN, DISCOUNT, CATEGORY = 8, 9, 10, 11, 12, 13
"""Columns of the disposals."""


class Working(NamedTuple):
    """One line of the live sum: its words, its formula, its value."""

    name: str
    formula: str
    value: Decimal


def column_name(number: int) -> str:
    """Return a column's letters, counted from 0.

    Examples
    --------
    >>> column_name(0), column_name(27)
    ('A', 'AB')
    """
    letters = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def span(number: int, rows: int) -> str:
    """Return the range of a column's rows; one empty row where there is none.

    Examples
    --------
    >>> span(2, 3)
    'C$5:C$7'
    """
    name = column_name(number)
    return f"{name}${FIRST + 1}:{name}${FIRST + max(rows, 1)}"


def gain_formula(disposal: Disposal, row: int) -> str:
    """Return the formula of a gain on its own row; "" where a rule of law changed the figure.

    Parameters
    ----------
    disposal : Disposal
    row : int
        As a spreadsheet counts, from 1.
    """
    if disposal.proceeds is None or disposal.rule not in ("gain", "revenue"):
        return ""
    proceeds, cost = f"{column_name(PROCEEDS)}{row}", f"{column_name(COST)}{row}"
    if not disposal.owning or disposal.rule == "revenue":
        return f"={proceeds}-{cost}"
    # Costs of owning count for a gain, never for a loss.
    surplus = f"{proceeds}-{cost}+{column_name(OWNING)}{row}"
    return f"=IF({surplus}<=0,{surplus},MAX({proceeds}-{cost},0))"


class Live:
    """What is worked out in the workbook itself.

    Parameters
    ----------
    report : TaxReport
    tables : mapping of str to Table
        By slug: how many rows each sheet has.
    """

    def __init__(self, report: TaxReport, tables: Mapping[str, Table]) -> None:
        self.report = report
        self.tables = tables
        capital = [row for row in report.disposals if row.category != "revenue"]
        self._gains = [row for row in capital if row.gain > 0]
        self._loss = -sum((row.gain for row in capital if row.gain < 0), ZERO)
        self._brought = sum((row.brought for row in report.losses), ZERO)
        # Small business concessions are too rare for a formula: values stand there instead.
        is_live = not any(row.concession for row in report.disposals)
        lines = list(self._sum_lines()) if is_live else []
        first = FIRST + len(tables["steps"].rows) + 2
        sheet = self._sheet("steps")
        self._cells = {line.name: f"{sheet}$B${first + at}" for at, line in enumerate(lines)}
        self.workings = [line._replace(formula=self._filled(line.formula)) for line in lines]

    def rows(self, slug: str) -> Sequence[Mapping[int, str]]:
        """Return the formulas of a sheet's rows, by column."""
        if not self.workings:
            return [{} for _ in self.tables[slug].rows]
        if slug == "steps":
            names = (name for name, _ in self.report.steps)
            return [{1: self._filled(_STEPS[name])} if name in _STEPS else {} for name in names]
        make = self._labels if slug == "labels" else self._schedule
        return list(make())

    # ---- the sum; names in braces stand for cells

    def _sum_lines(self) -> Iterator[Working]:
        pools = [
            Working(_pool_name(*pool), self._pool_formula(*pool), self._pool_value(*pool))
            for pool in self.report.pools
        ]
        yield from pools
        yield Working("losses of the year", f"=-{self._sum('<0')}", self._loss)
        earlier = f"=SUM({self._column('losses', 1)})"
        yield Working("losses of earlier years", earlier, self._brought)
        total = "=" + "+".join(f"{{{line.name}}}" for line in pools)
        yield Working("capital gains", total, sum((line.value for line in pools), ZERO))
        yield from self._after_losses(pools)

    def _after_losses(self, pools: Sequence[Working]) -> Iterator[Working]:
        """Set losses against one pool after the other, then the discount."""
        left, left_at = (
            self._loss + self._brought,
            "({losses of the year}+{losses of earlier years})",
        )
        kept = []
        for line in pools:
            name, rest = f"{line.name}, after losses", f"losses left after {line.name}"
            after = Working(
                name, f"=MAX({{{line.name}}}-{left_at},0)", max(line.value - left, ZERO)
            )
            left = max(left - line.value, ZERO)
            yield after
            yield Working(rest, f"=MAX({left_at}-{{{line.name}}},0)", left)
            left_at = f"{{{rest}}}"
            kept.append(after)
        long = [line for line, (_, is_long) in zip(kept, self.report.pools, strict=True) if is_long]
        share = self.report.discount
        rate = "1/3" if f"{share:f}".startswith("0.333") else f"{share:f}"
        discount = sum((line.value for line in long), ZERO) * share
        of = "+".join(f"{{{line.name}}}" for line in long)
        yield Working("discount", f"=({of})*{rate}", discount)
        net = sum((line.value for line in kept), ZERO) - discount
        total = "+".join(f"{{{line.name}}}" for line in kept)
        yield Working("net gain", f"={total}-{{discount}}", net)
        yield Working("carried forward", f"={left_at}", left)

    def _pool_value(self, category: str, is_long: bool) -> Decimal:
        known = {name for name, _ in self.report.pools}
        mine = (row for row in self._gains if row.is_discountable == is_long)
        return sum((row.gain for row in mine if _is_of(row.category, category, known)), ZERO)

    def _pool_formula(self, category: str, is_long: bool) -> str:
        if category != "non_residential":
            return f"={self._sum('>0', is_long=is_long, category=category)}"
        # Whatever has a category of its own (currency, contracts) counts here too.
        others = sorted({name for name, _ in self.report.pools} - {"non_residential"})
        less = (self._sum(">0", is_long=is_long, category=name) for name in others)
        return f"={self._sum('>0', is_long=is_long)}" + "".join(f"-{part}" for part in less)

    def _sum(self, test: str, *, is_long: bool | None = None, category: str = "") -> str:
        gain = self._column("disposals", GAIN)
        kind = self._column("disposals", CATEGORY)
        parts = [gain, gain, f'"{test}"', kind, '"<>revenue"']
        if is_long is not None:
            parts += [self._column("disposals", DISCOUNT), '"yes"' if is_long else '"<>yes"']
        if category:
            parts += [kind, f'"{category}"']
        return f"SUMIFS({','.join(parts)})"

    def _column(self, slug: str, number: int) -> str:
        return self._sheet(slug) + span(number, len(self.tables[slug].rows))

    def _sheet(self, slug: str) -> str:
        return f"'{self.tables[slug].title[:31]}'!"

    def _filled(self, formula: str) -> str:
        for name in sorted(self._cells, key=len, reverse=True):
            formula = formula.replace(f"{{{name}}}", self._cells[name])
        return formula

    # ---- labels

    def _labels(self) -> Iterator[Mapping[int, str]]:
        for number, line in enumerate(self.report.labels):
            formula = self._label(line.label, line.text)
            dollars = _dollars(f"C{FIRST + number + 1}")
            if line.exact is None:
                flag = '=IF({capital gains}+{losses of the year}>0,"Y","N")'
                yield {3: self._filled(flag)}
            elif formula:
                yield {2: self._filled(formula), 3: dollars}
            else:
                yield {3: dollars}

    def _label(self, label: str, text: str) -> str:
        if label in _EARNED:
            slug = "deductions" if "deductions" in text else "income"
            amounts, labels = self._column(slug, 3), self._column(slug, 2)
            sign = "-" if slug == "deductions" else ""
            return f'={sign}SUMIFS({amounts},{labels},"{label}")'
        by_letter = {"H": "capital gains", "A": "net gain", "V": "carried forward"}
        name = by_letter.get(label[-1])
        return f"={{{name}}}" if name else ""

    def _schedule(self) -> Iterator[Mapping[int, str]]:
        cells = {x.label: f"C{FIRST + n + 1}" for n, x in enumerate(self.report.schedule)}
        for line in self.report.schedule:
            formula = _SCHEDULE[line.label]
            for name, cell in cells.items():
                formula = formula.replace(f"{{{name}}}", cell)
            yield {2: self._filled(formula), 3: _dollars(cells[line.label])}


_EARNED = ("10L", "24", "D15", "–")
_USED = "MIN({losses of the year},{capital gains})"
_STEPS = {
    "capital gains before losses and discount": "={capital gains}",
    "less losses of this year": f"=-{_USED}",
    "less net losses of earlier years": f"=-MIN({{losses of earlier years}},{{capital gains}}-{_USED})",  # noqa: E501
    "gains after losses": "={net gain}+{discount}",
    "less discount": "=-{discount}",
    "net capital gain": "={net gain}",
    "net capital losses carried forward": "={carried forward}",
}
_SCHEDULE = {
    "1J": "={capital gains}",
    "2A": "={losses of the year}",
    "2B": f"={_USED}",
    "2C": "=MIN({losses of earlier years},{capital gains}-{2B})",
    "2E": "={2B}+{2C}",
    "3A": "={carried forward}",
    "4A": "={discount}",
    "6A": "={1J}-{2E}-{4A}",
}


def _pool_name(category: str, is_long: bool) -> str:
    kind = "discountable" if is_long else "other"
    return f"{category.replace('_', ' ')} gains, {kind}"


def _is_of(category: str, pool: str, known: set[str]) -> bool:
    return category == pool or (pool == "non_residential" and category not in known)


def _dollars(cell: str) -> str:
    # A sum of binary fractions may fall a hair short of a whole dollar.
    return f"=ROUNDDOWN(ROUND({cell},6),0)"
