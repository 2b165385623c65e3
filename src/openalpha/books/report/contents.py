"""What stands in a report, table after table, in the order it is read."""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

from openalpha.books.report.model import Earning, LabelLine, TaxReport
from openalpha.books.report.tables import Table
from openalpha.books.tax.amounts import ZERO, exact
from openalpha.books.tax.rules import MARKS
from openalpha.pages.cells import Cell, Column

__all__ = ["tables_of"]


def tables_of(report: TaxReport) -> tuple[Table, ...]:
    """Return every table of a report but the first page, in the order it is read."""
    return (
        _labels(report),
        _steps(report),
        _comparison(report),
        _schedule(report),
        *_entity_lines(report),
        _open_items(report),
        _disposals(report),
        _kinds(report),
        _earnings(report, "income", "Income on revenue account", report.income),
        _earnings(report, "deductions", "Deductions on revenue account", report.deductions),
        _holdings(report),
        _losses(report),
        _wash(report),
        _balances(report),
        _settled(report),
        _remarks(report),
        _rates(report),
        _files(report),
    )


_LABEL_COLUMNS = (
    Column("label", "text", 0.6),
    Column("what", "words", 2.6),
    Column("exact AUD", "aud", 1.2),
    Column("on the return", "number", 1.1),
    Column("where", "words", 3),
    Column("mark", "text", 0.5),
)


def _label_rows(lines: Iterable[LabelLine]) -> list[Sequence[Cell]]:
    return [(x.label, x.text, x.exact, x.shown, x.source, x.mark) for x in lines]


def _labels(report: TaxReport) -> Table:
    marks = sorted({line.mark for line in report.labels})
    meaning = "; ".join(f"{mark}: {MARKS[mark]}" for mark in marks)
    note = f"Whole dollars on the return, cents dropped. Marks: {meaning}."
    return Table("labels", "Labels of the return", note, _LABEL_COLUMNS, _label_rows(report.labels))


def _schedule(report: TaxReport) -> Table:
    if report.kind == "individual":
        need = "People do not lodge it; its figures all the same."
    elif report.needs_schedule:
        need = "To be lodged: gains or losses are above $10,000."
    else:
        need = "Not needed: neither gains nor losses are above $10,000."
    rows = _label_rows(report.schedule)
    return Table("schedule", "CGT schedule", need, _LABEL_COLUMNS, rows)


def _steps(report: TaxReport) -> Table:
    columns = (Column("step", "words", 4), Column("AUD", "aud", 1.4))
    return Table("steps", "How the gain adds up", "", columns, report.steps)


def _comparison(report: TaxReport) -> Table:
    names = [name.replace("_", " ") for name in report.treatments]
    at = report.treatments.index(report.treatment)
    columns = [Column("figure", "words", 2.4), *(Column(name, "aud", 1.5) for name in names)]
    others = [number for number in range(len(names)) if number != at]
    columns += [Column(f"{names[number]} less chosen", "aud", 1.6) for number in others]
    rows: list[Sequence[Cell]] = []
    with exact():
        for line in report.comparison:
            chosen = line.amounts[at]
            rows.append(
                (line.name, *line.amounts, *(_less(line.amounts[n], chosen) for n in others))
            )
    note = f"The same events on every account; chosen: {names[at]}."
    refused = [f"{name}: {why}" for name, why in zip(names, report.refused, strict=True) if why]
    if refused:
        note += f" Not worked out: {'; '.join(refused)}."
    return Table("treatments", "Treatments side by side", note, tuple(columns), rows)


def _less(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    return None if one is None or other is None else one - other


def _disposals(report: TaxReport) -> Table:
    columns = (
        Column("day", "day", 1.15),
        Column("time", "time", 0.9),
        Column("disposal", "key", 1.2),
        Column("asset", "text", 0.8),
        Column("quantity", "qty", 1.5),
        Column("event", "text", 0.55),
        Column("parcel", "key", 1.2),
        Column("acquired", "day", 1.15),
        Column("proceeds", "aud", 1.35, is_summed=True),
        Column("cost base", "aud", 1.35, is_summed=True),
        Column("of it owning", "aud", 1.0, is_summed=True, is_spare=True),
        Column("gain or loss", "aud", 1.35, is_summed=True),
        Column("discount", "flag", 0.85),
        Column("category", "text", 1.4),
        Column("rule", "text", 1.1),
        Column("method", "text", 0.8),
        Column("chosen by", "text", 0.9),
        Column("chosen at", "text", 0.9),
        Column("hash", "key", 1.2),
        Column("source", "text", 2.2),
    )
    note = (
        "A row for each parcel a disposal used, with who chose it, how, when, and the hash of that "
        "choice; standing: the method in force chose. The cost base holds elements 1 to 5; owning "
        "is element 3, which no loss counts."
    )
    with exact():
        rows: list[Sequence[Cell]] = [
            (
                x.day, x.time[11:], x.disposal, x.asset, x.qty, x.event, x.parcel, x.acquired,
                x.proceeds, x.reduced + x.owning, x.owning, x.gain,
                x.is_discountable and x.gain > 0, x.category, x.rule, x.method,
                x.chosen_by, x.chosen_at, x.sha256, x.source,
            )
            for x in report.disposals
        ]  # fmt: skip
    return Table("disposals", "Disposals", note, columns, rows)


def _kinds(report: TaxReport) -> Table:
    columns = (
        Column("kind", "text", 2.4),
        Column("rows", "number", 0.8),
        Column("income", "aud", 1.4, is_summed=True),
        Column("deductions", "aud", 1.4, is_summed=True),
        Column("result", "aud", 1.4, is_summed=True),
    )
    sums: dict[str, tuple[int, Decimal, Decimal]] = {}
    with exact():
        for x in report.earnings:
            count, won, lost = sums.get(x.kind, (0, ZERO, ZERO))
            sums[x.kind] = (count + 1, won + max(x.amount, ZERO), lost - min(x.amount, ZERO))
        rows: list[Sequence[Cell]] = [
            (kind.replace("_", " "), count, won, lost, won - lost)
            for kind, (count, won, lost) in sorted(sums.items())
        ]
    return Table("kinds", "Income and deductions by kind", "", columns, rows)


def _earnings(report: TaxReport, slug: str, title: str, rows: Iterable[Earning]) -> Table:
    columns = (
        Column("day", "day", 1),
        Column("kind", "text", 1.6),
        Column("label", "text", 0.6),
        Column("AUD", "aud", 1.2, is_summed=True),
        Column("event", "key", 1.2),
        Column("source", "text", 3.5),
    )
    cells = [(x.day, x.kind.replace("_", " "), x.label, x.amount, x.event, x.source) for x in rows]
    note = "A dash as label: your agent places it." if report.kind != "individual" else ""
    return Table(slug, title, note, columns, cells)


def _holdings(report: TaxReport) -> Table:
    columns = (
        Column("asset", "text", 0.8),
        Column("parcel", "key", 1.2),
        Column("kind", "text", 1),
        Column("acquired", "day", 1.1),
        Column("quantity", "qty", 1.6),
        Column("cost base", "aud", 1.3, is_summed=True),
        Column("of it owning", "aud", 1.1, is_summed=True, is_spare=True),
        Column("discount from", "day", 1.1),
        Column("wallet", "text", 1.4),
        Column("source", "text", 2.6),
    )
    with exact():
        rows: list[Sequence[Cell]] = [
            (
                x.asset, x.parcel, x.kind, x.acquired, x.qty, x.cost + x.owning, x.owning,
                x.discount_from, x.wallet, x.source,
            )
            for x in report.holdings
        ]  # fmt: skip
    note = "What was held at the end of 30 June, with the cost that goes on."
    return Table("parcels", "Parcels held", note, columns, rows)


def _losses(report: TaxReport) -> Table:
    columns = (
        Column("made in", "text", 1),
        Column("brought in", "aud", 1.2, is_summed=True),
        Column("used", "aud", 1.2, is_summed=True),
        Column("carried forward", "aud", 1.2, is_summed=True),
    )
    rows = [
        (f"{x.year - 1}-{x.year % 100:02d}", x.brought, x.used, x.carried) for x in report.losses
    ]
    return Table("losses", "Net capital losses", "", columns, rows)


def _wash(report: TaxReport) -> Table:
    columns = (
        Column("day", "day", 1),
        Column("disposal", "key", 1.2),
        Column("asset", "text", 0.8),
        Column("loss", "aud", 1.2, is_summed=True),
        Column("days apart", "number", 0.8),
        Column("bought", "words", 3),
        Column("reason recorded", "words", 2),
    )
    note = (
        "A loss with a purchase of the same coin, or a long perpetual in it, close by. It stays "
        "counted: the law asks for purpose, not for days (TR 2008/1). Have your reasons ready."
    )
    rows = [(x.day, x.disposal, x.asset, x.loss, x.days_apart, x.bought, x.reason)
            for x in report.wash]  # fmt: skip
    return Table("wash", "Wash sales to look at", note, columns, rows)


def _entity_lines(report: TaxReport) -> Iterator[Table]:
    """Yield the table only trusts and companies have."""
    if not report.entity_lines:
        return
    columns = (
        Column("who", "words", 1.4),
        Column("what", "words", 3),
        Column("AUD", "aud", 1.3),
        Column("where", "words", 2.6),
        Column("mark", "text", 0.5),
    )
    title = "Distribution" if report.kind == "trust" else "Company tax"
    yield Table("entity", title, "", columns, report.entity_lines)


def _open_items(report: TaxReport) -> Table:
    columns = (
        Column("kind", "text", 1.6), Column("key", "key", 2.0), Column("what to do", "words", 5.2)
    )  # fmt: skip
    rows = [(x.code.replace("_", " "), x.key, x.text) for x in report.open_items]
    return Table("open", "Open items", "Each keeps this report a draft.", columns, rows)


def _settled(report: TaxReport) -> Table:
    columns = (
        Column("kind", "text", 1.7),
        Column("as", "text", 0.6),
        Column("AUD", "aud", 1),
        Column("reason", "words", 2.5),
        Column("item", "words", 5),
    )
    rows = [(x.code.replace("_", " "), x.way, x.aud, x.reason, x.text) for x in report.settled]
    return Table("settled", "Settled by a person", "", columns, rows)


def _balances(report: TaxReport) -> Table:
    names = (
        "opening", "realised", "funding", "fees", "trades", "transfers", "other", "closing",
        "stated", "difference",
    )  # fmt: skip
    columns = (
        Column("account", "text", 2.4),
        Column("coin", "text", 0.8),
        *(Column(name, "qty", 1.3, is_spare=name in names[1:7]) for name in names),
        Column("verdict", "text", 0.9),
    )
    rows = [
        (f"{x.venue} {x.account}".strip(), x.coin, *(getattr(x, name) for name in names), x.verdict)
        for x in report.balances
    ]
    note = "In coins, at the end of 30 June: what files state against what moved, to 8 decimals."
    return Table("reconciliation", "Reconciliation", note, columns, rows)


def _remarks(report: TaxReport) -> Table:
    rows = [(text,) for text in report.remarks]
    columns = (Column("remark", "words"),)
    return Table("remarks", "Remarks", "Nothing here keeps the report a draft.", columns, rows)


def _rates(report: TaxReport) -> Table:
    columns = (
        Column("coin", "text", 0.7),
        Column("time (UTC)", "text", 1.9),
        Column("AUD", "qty", 1.5),
        Column("source", "text", 5),
    )
    rows = [(x.coin, x.time, x.rate, x.source) for x in report.rates]
    return Table("rates", "Rates used", "One line a conversion.", columns, rows)


def _files(report: TaxReport) -> Table:
    columns = (
        Column("source", "words", 2.2), Column("kind", "text", 1.2), Column("sha256", "text", 4.7)
    )  # fmt: skip
    return Table("sources", "Made from", "", columns, list(_file_rows(report)))


def _file_rows(report: TaxReport) -> Iterator[Sequence[Cell]]:
    yield from report.files
    yield ("every figure of this report", "figures", report.figures_sha256)
    yield ("every parcel used", "choices", report.parcels_sha256)
    yield ("the whole report", "report", report.report_sha256)
