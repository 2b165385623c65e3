"""Builds the model of a report from its facts. Pure: the same facts give the same report."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

from openalpha.books.report import rows
from openalpha.books.report.assessing import (
    AS_CHOSEN,
    Found,
    assess_facts,
    side_by_side,
    treatments_of,
)
from openalpha.books.report.entity_lines import entity_lines
from openalpha.books.report.facts import Facts
from openalpha.books.report.first_page import SYNTHETIC, draft_reasons, first_page
from openalpha.books.report.labelled import label_lines, schedule_lines, step_lines
from openalpha.books.report.model import Comparison, OpenLine, TaxReport
from openalpha.books.tax.amounts import exact
from openalpha.books.tax.assessment import collector_paused
from openalpha.books.tax.dates import income_year
from openalpha.books.tax.events import Event
from openalpha.books.tax.labels import needs_schedule
from openalpha.books.tax.near import near_borders
from openalpha.books.tax.search import Candidate
from openalpha.books.tax.ties import order_matters

__all__ = ["build_report", "order_of", "parcels_hash", "plain"]

_TIES_UP_TO = 60_000
_REMARKS = 40


def build_report(facts: Facts) -> TaxReport:
    """Build the report of one income year.

    Parameters
    ----------
    facts : Facts
        Events, choices, what is open, and where everything came from.

    Returns
    -------
    TaxReport
        A draft while anything is open.

    Raises
    ------
    Refused
        If nothing happened in the year, or the law or engine does not allow what was asked.
    """
    with exact(), collector_paused():
        return _build(facts)


def order_of(facts: Facts) -> Candidate:
    """Return the order of parcels the year ended up with, to be locked."""
    with exact():
        return assess_facts(facts).order


def parcels_hash(facts: Facts) -> str:
    """Return the hash of every parcel used in the year, as a report of it would state it."""
    with exact():
        return _parcels(assess_facts(facts))


def _build(facts: Facts) -> TaxReport:
    found = assess_facts(facts)
    others, refused = side_by_side(facts, found)
    events = {event.id: event for event in facts.events}
    items = _open_items(facts, found)
    wash = rows.wash_lines(facts, found, events=events)
    earned = rows.earnings(facts, found, events=events)
    entity = facts.policy.entity
    statement = found.result.statement
    reasons = draft_reasons(facts, found, items=items)
    is_mixed = bool(facts.profile.choices)
    report = TaxReport(
        entity=facts.profile.name,
        kind=entity.value,
        year=facts.year_name,
        is_final=not reasons,
        reasons=reasons,
        is_synthetic=any(SYNTHETIC in row.source for row in facts.rates),
        simulated=facts.origin.simulated,
        treatment=AS_CHOSEN if is_mixed else facts.policy.treatment.value,
        treatments=treatments_of(facts.profile),
        refused=tuple(refused),
        settings=first_page(facts, found, wash=len(wash)),
        labels=label_lines(found, earned, entity=entity),
        schedule=schedule_lines(found, entity=entity),
        needs_schedule=needs_schedule(statement, entity),
        steps=step_lines(found),
        pools=found.pools,
        discount=entity.discount,
        comparison=_comparison(others),
        entity_lines=entity_lines(facts, found),
        disposals=rows.disposals(facts, found, events=events),
        earnings=earned,
        holdings=rows.holdings(facts, found),
        losses=rows.losses(facts, found),
        wash=wash,
        open_items=items,
        settled=facts.settled,
        balances=facts.balances,
        rates=facts.rates,
        files=facts.origin.files,
        remarks=_remarks(facts, found),
        version=facts.origin.version,
        made=facts.origin.made,
        figures_sha256="",
        parcels_sha256=_parcels(found),
        report_sha256="",
    )
    return _hashed(report)


def _open_items(facts: Facts, found: Found) -> tuple[OpenLine, ...]:
    """Join what the histories ask with what the engine asks, each fact once."""
    asked = {item.key.split("/")[0].split(".")[0] for item in facts.open_items}
    rows_ = list(facts.open_items)
    for item in found.record.open_items:
        is_said = item.code in ("missing_value", "missing_cost")
        if is_said and item.event.split(".")[0] in asked:
            continue  # the missing rate behind it is asked for already
        where = facts.where(item.event)
        rows_.append(
            OpenLine(item.code, item.event, f"{where}: {item.text}" if where else item.text)
        )
    return tuple(rows_)


def _comparison(others: Iterable[Found | None]) -> tuple[Comparison, ...]:
    found = list(others)

    def line(name: str, of: Any) -> Comparison:
        return Comparison(name, tuple(None if one is None else of(one) for one in found))

    return (
        line("capital gains before losses", lambda one: one.result.statement.gross),
        line("discount", lambda one: one.result.statement.discount),
        line("net capital gain", lambda one: one.result.statement.net),
        line("income on revenue account", lambda one: one.result.income),
        line("deductions on revenue account", lambda one: one.result.deductions),
        line("added to taxable income", lambda one: one.result.result),
        line("capital losses carried forward", lambda one: one.result.statement.carried_forward),
    )


def _remarks(facts: Facts, found: Found) -> tuple[str, ...]:
    """Name fills near a border of the calendar, and figures that hang on the record's order."""
    year = facts.year
    first, last = date(year - 1, 7, 1), date(year, 6, 30)
    close: list[Event] = [
        event
        for event in facts.events
        if event.day is not None
        and (abs((event.day - first).days) <= 2 or _is_end(event.day, last))
    ]
    close += [e for e in facts.events if e.day is not None and income_year(e.day) == year]
    unique = {event.id: event for event in close}
    pieces = [piece for _, piece in found.slices]
    found_near = near_borders(unique.values(), pieces, zone=facts.profile.time_zone)
    remarks = list(dict.fromkeys(found_near))
    if len(remarks) > _REMARKS:
        more = len(remarks) - _REMARKS
        remarks = [*remarks[:_REMARKS], f"{more:,} more fills lie as near to a border"]
    if len(facts.events) > _TIES_UP_TO or facts.profile.choices:
        remarks.append("whether the order of events of one instant matters was not worked out")
    else:
        name, carry_in = f"ends in {year} ", facts.profile.carry_in()
        ties = order_matters(facts.events, facts.policy, law=facts.law, carry_in=carry_in)
        remarks += [text for text in ties if name in text]
    return tuple(remarks)


def _is_end(day: date, last: date) -> bool:
    return abs((day - last).days) <= 2


def _parcels(found: Found) -> str:
    """Return the hash of every parcel used in the year."""
    rows_ = [(piece.disposal, piece.lot, piece.qty, piece.cost) for _, piece in found.slices]
    return _digest(rows_)


_FIGURES = (
    "entity", "kind", "year", "treatment", "labels", "schedule", "steps", "entity_lines",
    "disposals", "earnings", "holdings", "losses",
)  # fmt: skip
_NOT_HASHED = ("made", "kept", "figures_sha256", "report_sha256")


def _hashed(report: TaxReport) -> TaxReport:
    figures = {name: getattr(report, name) for name in _FIGURES}
    left_out = {*_NOT_HASHED, *_FIGURES}  # the figures enter by their own hash
    whole = {f.name: getattr(report, f.name) for f in fields(report) if f.name not in left_out}
    one = _digest(figures)
    return replace(report, figures_sha256=one, report_sha256=_digest({**whole, "figures": one}))


def _digest(payload: Any) -> str:
    text = json.dumps(payload, ensure_ascii=False, sort_keys=True, default=_leaf)
    return hashlib.sha256(text.encode()).hexdigest()


def _leaf(value: Any) -> str:
    return _text(value) if isinstance(value, Decimal) else str(value.isoformat())


def plain(value: Any) -> Any:
    """Return a value as JSON has it: named rows as objects, decimals and days as texts."""
    if isinstance(value, Decimal):
        return _text(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {name: plain(item) for name, item in value._asdict().items()}
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def _text(value: Decimal) -> str:
    """Write every digit but zeros at the end, whatever context is in force."""
    text = f"{value:f}"
    return (text.rstrip("0").rstrip(".") or "0") if "." in text else text
