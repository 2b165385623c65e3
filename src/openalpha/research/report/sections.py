"""Pieces of the HTML report that need no script: figures, verdict, heat map, cost split, tables."""

import math
import re
from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from openalpha.core.clock import format_ms, timeframe_name
from openalpha.core.reasons import Reason, explain
from openalpha.research.after_tax import AfterTax
from openalpha.research.definitions import DEFINITIONS, Definition, Group
from openalpha.research.verdict import Verdict
from openalpha.research.wording import after_tax_line, count, figure, money, percent, plural, ratio

if TYPE_CHECKING:
    from openalpha.research.judged import JudgedRun

__all__ = [
    "after_tax_text",
    "cost_split",
    "figure_groups",
    "heat_map",
    "key_figures",
    "record_details",
    "sign_class",
    "subtitle",
    "table",
    "trip_table",
    "verdict_box",
]

_MARKS = {"alarm": "✕", "caution": "!", "note": "i"}
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def sign_class(value: float) -> str:
    """Return the class that colours a value by its sign (the sign itself is always written)."""
    return "gain" if value > 0 else "loss" if value < 0 else "flat"


def subtitle(result: "JudgedRun") -> str:
    """Return strategy, instruments, time frame and span as one line."""
    span = f"{format_ms(result.start_ms)[:10]} to {format_ms(result.end_ms)[:10]} UTC"
    names = list(result.context.histories)
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    parts = (result.context.strategy, shown, timeframe_name(result.run.timeframe_ms), span)
    return "".join(f"<span>{escape(part)}</span>" for part in parts)


def verdict_box(verdict: Verdict) -> str:
    """Return the opinion and the checks behind it."""
    rows = "".join(
        f'<li class="{check.severity.name.lower()}"><b aria-hidden="true">'
        f"{_MARKS[check.severity.name.lower()]}</b><div>"
        f"<em>{check.severity.name.capitalize()}</em> {escape(check.sentence)}</div></li>"
        for check in verdict.checks
    )
    return (
        f'<section class="verdict {verdict.severity.name.lower()}"><h2>Verdict</h2>'
        f'<p class="opinion">{escape(verdict.opinion)}</p><ul>{rows}</ul></section>'
    )


def key_figures(result: "JudgedRun") -> str:
    """Return the six figures to read first."""
    m, currency, capital = result.metrics, result.currency, float(result.run.capital)
    error = f"± {ratio(m['sharpe_error'])} standard error" if _known(m["sharpe_error"]) else "–"
    share = f"{money(m['fees'])} of it fees"
    if m["cost_share"] > 1:
        share = "more than the profit before them"
    elif _known(m["cost_share"]):
        share = f"{percent(m['cost_share'])} of the profit before them"
    tiles = (
        ("Net profit", money(m["net_profit"], signed=True), m["net_profit"],
         f"{currency} · {percent(m['total_return'], signed=True)} on {count(capital)}"),
        ("Growth a year", percent(m["cagr"], signed=True), m["cagr"],
         f"buy and hold {percent(m['benchmark_return'], signed=True)} in all"),
        ("Sharpe ratio", ratio(m["sharpe"]), None, error),
        ("Deepest drawdown", percent(m["max_drawdown"]), None,
         f"{plural(m['max_drawdown_days'], 'day')} longest below a high"),
        ("Round trips", count(m["round_trips"]), None, f"{percent(m['win_rate'])} won"),
        ("Costs", money(m["total_costs"]), None, f"{currency} · {share}"),
    )  # fmt: skip
    cells = (
        f'<div><h3>{name}</h3><p class="value {sign_class(sign) if sign else ""}">{value}</p>'
        f"<p>{escape(words)}</p></div>"
        for name, value, sign, words in tiles
    )
    return f'<section class="tiles" aria-label="Key figures">{"".join(cells)}</section>'


def heat_map(months: Sequence[tuple[str, float]]) -> str:
    """Return calendar months as a table of coloured cells, years down, months across."""
    if not months:
        return '<p class="muted">No month to show.</p>'
    largest = max(1e-9, *(abs(value) for _, value in months))
    by_year: dict[str, dict[int, float]] = {}
    for name, value in months:
        by_year.setdefault(name[:4], {})[int(name[5:])] = value
    body = []
    for year, values in by_year.items():
        cells = "".join(_heat_cell(values.get(at), largest) for at in range(1, 13))
        whole = math.prod(1 + value for value in values.values()) - 1
        body.append(
            f'<tr><th scope="row">{year}</th>{cells}'
            f'<td class="year {sign_class(whole)}">{percent(whole, signed=True)}</td></tr>'
        )
    head = "".join(f'<th scope="col">{name}</th>' for name in _MONTHS)
    return (
        '<div class="scroll"><table class="heat"><thead><tr><th></th>'
        f'{head}<th scope="col">Year</th></tr></thead><tbody>{"".join(body)}</tbody></table></div>'
    )


def _heat_cell(value: float | None, largest: float) -> str:
    if value is None:
        return "<td></td>"
    # Square root: small months stay tellable beside one outstanding one.
    strength = round(8 + 62 * math.sqrt(min(1.0, abs(value) / largest)))
    text = percent(value, signed=True).removesuffix(" %")
    return f'<td class="{sign_class(value)}" style="--s:{strength}%">{text}</td>'


def after_tax_text(found: AfterTax) -> str:
    """Return the after-tax line with what it rests on, and the years it is made of."""
    years = "".join(
        f'<tr><th scope="row">{year - 1}-{year % 100:02d}</th><td>{float(tax):,.2f}</td></tr>'
        for year, tax in found.by_year
    )
    rows = f'<table class="record"><tbody>{years}</tbody></table>' if years else ""
    line = after_tax_line(found)
    words = re.sub("`([^`]+)`", r"<code>\1</code>", escape(line[0].upper() + line[1:]))
    told = f"<p>{words}.</p>"
    if found.tax is None:
        return told
    basis = found.words[0].upper() + found.words[1:]
    return f'{told}<p class="muted">{escape(basis)}.</p>{rows}'


def cost_split(result: "JudgedRun") -> str:
    """Return the way from the profit before costs to the net profit as horizontal bars."""
    costs = result.costs
    steps = [
        ("Profit before costs", costs["profit_before_costs"], True),
        ("Spread", -costs["spread_cost"], False),
        ("Impact of our size", -costs["impact_cost"], False),
        ("Fees", -costs["fees"], False),
        ("Funding", costs["funding"], False),
        ("Liquidation fees", -costs["liquidation_fees"], False),
        ("Net profit", costs["net_profit"], True),
    ]
    steps = [step for step in steps if step[0] != "Liquidation fees" or step[1]]
    spans, level = [], 0.0
    for _, amount, is_total in steps:
        start = 0.0 if is_total else level
        spans.append((start, amount if is_total else level + amount))
        level = spans[-1][1]
    ends = [0.0, *(end for span in spans for end in span)]
    low = min(ends)
    width = max(ends) - low or 1.0
    zero = 100 * (0.0 - low) / width
    rows = []
    for (name, amount, is_total), (start, stop) in zip(steps, spans, strict=True):
        left, size = 100 * (min(start, stop) - low) / width, 100 * abs(stop - start) / width
        rows.append(
            f'<div class="step{" total" if is_total else ""}"><span>{name}</span>'
            f'<div class="track" style="--zero:{zero:.2f}%"><i class="{sign_class(amount)}" '
            f'style="left:{left:.2f}%;width:{max(size, 0.15):.2f}%"></i></div>'
            f'<b class="{sign_class(amount)}">{money(amount, signed=True)}</b></div>'
        )
    unit = f'<p class="unit">{escape(result.currency)}; − paid, + received</p>'
    return f'{unit}<div class="waterfall">{"".join(rows)}</div>'


def figure_groups(result: "JudgedRun") -> str:
    """Return every metric, grouped, each with its definition."""
    titles = {
        Group.MONEY: "Money", Group.RISK: "Risk", Group.TRADES: "Round trips",
        Group.ACTIVITY: "Activity", Group.COSTS: "Costs", Group.BENCHMARK: "Against buy and hold",
    }  # fmt: skip
    parts = []
    for group, title in titles.items():
        rows = "".join(_figure_row(result, item) for item in DEFINITIONS if item.group is group)
        body = f"<caption>{title}</caption><tbody>{rows}</tbody>"
        parts.append(f'<table class="figures">{body}</table>')
    return f'<div class="groups">{"".join(parts)}</div>'


def _figure_row(result: "JudgedRun", item: Definition) -> str:
    value = figure(item.name, result.metrics[item.name], currency=result.currency)
    return (
        f'<tr title="{escape(item.words)} {escape(item.formula)}"><th scope="row">{item.label}</th>'
        f"<td>{escape(value)}</td></tr>"
    )


def trip_table(result: "JudgedRun", most: int) -> str:
    """Return the last round trips, newest first."""
    trips = result.trips
    if not len(trips):
        return '<p class="muted">No round trip was completed.</p>'
    names = list(result.context.histories)
    shown = range(len(trips) - 1, max(-1, len(trips) - 1 - most), -1)
    decimals = [instrument.price_decimals for instrument in result.instruments]
    adverse, favourable = result.excursions
    rows = [
        (
            format_ms(int(trips.entry_ts_ms[at])).replace("T", " ")[:16],
            format_ms(int(trips.exit_ts_ms[at])).replace("T", " ")[:16],
            *((names[int(trips.instrument[at])],) if len(names) > 1 else ()),
            "long" if trips.direction[at] > 0 else "short",
            f"{trips.qty[at]:g}",
            _price(float(trips.entry_price[at]), decimals[int(trips.instrument[at])]),
            _price(float(trips.exit_price[at]), decimals[int(trips.instrument[at])]),
            _cash(float(trips.pnl[at])),
            f'<span class="{sign_class(float(trips.returns[at]))}">'
            f"{percent(float(trips.returns[at]), signed=True, digits=2)}</span>",
            percent(-float(adverse[at]), digits=2),
            percent(float(favourable[at]), signed=True, digits=2),
            _reason(int(trips.exit_reason[at])),
        )
        for at in shown
    ]
    head = (
        "Entry, UTC", "Exit, UTC", *(("Instrument",) if len(names) > 1 else ()), "Side", "Quantity",
        "In", "Out", f"Net, {escape(result.currency)}", "Return", "Worst", "Best", "Closed by",
    )  # fmt: skip
    note = (
        f'<p class="muted">The last {count(len(rows))} of {plural(len(trips), "round trip")}; the '
        "CSV and JSON hold them all.</p>"
        if len(rows) < len(trips)
        else ""
    )
    return note + table(head, rows, classes="trips tall") + _reasons(trips.exit_reason[shown])


def _reason(code: int) -> str:
    return Reason(code).name.lower().replace("_", " ")


def _reasons(codes: Iterable[int]) -> str:
    """Return in words what closed the round trips shown, each reason once."""
    words = "; ".join(f"{_reason(code)}: {explain(code)}" for code in sorted(set(map(int, codes))))
    return f'<p class="muted">{escape(words)}.</p>'


def record_details(result: "JudgedRun") -> str:
    """Return what the run was made from, folded away."""
    record = result.record
    rows: list[tuple[str, str]] = [
        ("Made", record["created"]),
        ("Code", f"{record['versions']['openalpha']} {record['commit']}".strip()),
        ("Strategy", f"{record['strategy']} · source {record['source_hash'][:12]}"),
        ("Parameters", _pairs(record["params"])),
        *((f"Settings: {name}", _pairs(group)) for name, group in record["settings"].items()),
        *((name, _data_words(data)) for name, data in record["data"].items()),
        ("Trial", _trial_words(record["trial"])),
        *(("Note", note) for note in record["notes"]),
    ]
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>'
        for name, value in rows
    )
    return f'<table class="record"><tbody>{body}</tbody></table>'


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, classes: str = "") -> str:
    """Return a table; head and cells are HTML already, rows as long as the head."""
    top = "".join(f'<th scope="col">{name}</th>' for name in head)
    # Only cards of a phone's comparison repeat the head in each cell.
    opened = [f'<td data-label="{name}">' if classes == "compare" else "<td>" for name in head]
    body = "".join(
        "<tr>" + "".join(f"{td}{cell}</td>" for td, cell in zip(opened, row, strict=True)) + "</tr>"
        for row in rows
    )
    return (
        f'<div class="scroll {classes}"><table class="list"><thead><tr>{top}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _cash(value: float | None) -> str:
    if value is None:
        return "–"
    return f'<span class="{sign_class(value)}">{money(value, signed=True)}</span>'


def _price(value: float, decimals: int) -> str:
    return f"{value:,.{decimals}f}"


def _pairs(values: Any) -> str:
    return ", ".join(f"{name} = {_setting(value)}" for name, value in values.items()) or "none"


def _setting(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "not set" if value is None or value == "" else str(value)


def _data_words(data: dict[str, Any]) -> str:
    notes = "; ".join(data["notes"])
    text = f"{plural(data['bars'], 'bar')} of {data['timeframe']}, {data['from']} to {data['to']}"
    return f"{text}, fingerprint {data['fingerprint'][:12]}" + (f" ({notes})" if notes else "")


def _trial_words(trial: dict[str, Any]) -> str:
    if trial["row"] < 0:
        return "not in the trial ledger"
    return f"row {trial['row']}, one of {plural(trial['family'], 'configuration')} of its family"


def _known(value: float) -> bool:
    return math.isfinite(value)
