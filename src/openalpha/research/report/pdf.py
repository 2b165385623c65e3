"""The report of one run as PDF, drawn without a browser; the same run gives the same bytes."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from openalpha.core.clock import DAY_MS, format_ms, timeframe_name
from openalpha.core.reasons import Reason
from openalpha.pages.paper import ALARM, BOLD, MARGIN, PLAIN, PORTRAIT, SOFT, Paper, wrapped
from openalpha.research.benchmark import buy_and_hold
from openalpha.research.circumstances import Severity
from openalpha.research.definitions import DEFINITIONS, Group
from openalpha.research.drawdown import drawdowns
from openalpha.research.reconsider import reconsider
from openalpha.research.report import pdf_charts as draw
from openalpha.research.report import robust
from openalpha.research.report.origins import bands_sentence, hour_listing, origins
from openalpha.research.report.sheet import CAUTION, INK, grid, marked, plain, say
from openalpha.research.report.thinning import keep_extremes
from openalpha.research.wording import after_tax_line, count, figure, money, percent, plural, ratio

if TYPE_CHECKING:
    from openalpha.research.judged import JudgedRun

__all__ = ["report_pdf"]

_COLOURS = {Severity.ALARM: ALARM, Severity.CAUTION: CAUTION, Severity.NOTE: SOFT}
_LINE_POINTS, _TRIPS = 900, 32
# From there on the strategy's own ups and downs cannot be seen beside buying and holding.
_DWARFED = 4.0
_GROUPS = {
    Group.MONEY: "Money", Group.RISK: "Risk", Group.TRADES: "Round trips",
    Group.ACTIVITY: "Activity", Group.COSTS: "Costs", Group.BENCHMARK: "Against buy and hold",
}  # fmt: skip


def report_pdf(result: "JudgedRun") -> bytes:
    """Return the report as a PDF document.

    Parameters
    ----------
    result : JudgedRun
    """
    names = ", ".join(result.context.histories)
    made = format_ms(result.context.created_ms)
    is_synthetic = any(name.startswith("synthetic") for name in result.context.histories)
    foot = f"{result.context.strategy} on {names} · made {made} by OpenAlpha · UTC"
    paper = Paper(
        title=plain(f"{result.context.strategy} on {names}"),
        foot=plain(foot if len(foot) < 120 else foot[:117] + "…"),
        watermark="SYNTHETIC" if is_synthetic else "",
    )
    paper.turn(PORTRAIT)
    _first_page(paper, result, is_synthetic=is_synthetic)
    _risk(paper, result)
    _trades(paper, result)
    _costs(paper, result)
    _origins(paper, result)
    _robustness(paper, result)
    _figures(paper, result)
    _made_from(paper, result)
    return paper.bytes()


def _first_page(paper: Paper, result: "JudgedRun", *, is_synthetic: bool) -> None:
    span = f"{format_ms(result.start_ms)[:10]} to {format_ms(result.end_ms)[:10]} UTC"
    names = ", ".join(result.context.histories)
    frame = timeframe_name(result.run.timeframe_ms)
    paper.canvas.bookmarkHorizontal("first", 0, paper.y)
    paper.canvas.addOutlineEntry("In short", "first", 0)
    say(paper, f"{result.context.strategy} · {names} · {frame} · {span}", size=9, colour=SOFT)
    say(paper, result.verdict.headline, size=17, font=BOLD, gap=6)
    if is_synthetic:
        words = "SYNTHETIC market: made by a generator, not recorded anywhere."
        say(paper, words, colour=ALARM, gap=4)
    _tiles(paper, _key_figures(result))
    paper.heading("Verdict", key="verdict")
    say(paper, result.verdict.opinion, size=11, font=BOLD, gap=3)
    for check in result.verdict.checks:
        colour = _COLOURS[check.severity]
        marked(paper, check.sentence, mark=check.severity.name.capitalize(), colour=colour)
    paper.heading("Money", key="money", note=f"Equity at bar closes, {result.currency}.")
    _equity(paper, result)
    paper.heading("Months", key="months", note="Return in %, calendar months, UTC.")
    months = list(zip(result.by_month["month"], result.by_month["return"], strict=True))
    draw.months(paper, months)
    say(paper, f"After tax: {after_tax_line(result.after_tax)}.", size=8, colour=SOFT, gap=2)


def _key_figures(result: "JudgedRun") -> list[tuple[str, str, str]]:
    m, currency = result.metrics, result.currency
    error = f"± {ratio(m['sharpe_error'])} standard error"
    share = f"{money(m['fees'])} of it fees"
    if m["cost_share"] <= 1:
        share = f"{percent(m['cost_share'])} of profit before"
    return [
        ("Net profit", money(m["net_profit"], signed=True),
         f"{currency}, {percent(m['total_return'], signed=True)}"),
        ("Growth a year", percent(m["cagr"], signed=True),
         f"holding {percent(m['benchmark_return'], signed=True)} in all"),
        ("Sharpe ratio", ratio(m["sharpe"]), error),
        ("Deepest drawdown", percent(m["max_drawdown"]),
         f"{plural(m['max_drawdown_days'], 'day')} below a high"),
        ("Round trips", count(m["round_trips"]), f"{percent(m['win_rate'])} won"),
        ("Costs", money(m["total_costs"]), f"{currency}, {share}"),
    ]  # fmt: skip


def _tiles(paper: Paper, tiles: Sequence[tuple[str, str, str]]) -> None:
    step = paper.width / len(tiles)
    paper.y -= 4
    paper.rule(colour=INK, weight=1.2)
    canvas = paper.canvas
    for at, (name, value, words) in enumerate(tiles):
        x = MARGIN + at * step
        canvas.setFillColorRGB(*SOFT)
        canvas.setFont(PLAIN, 7)
        canvas.drawString(x, paper.y - 11, name)
        for row, line in enumerate(wrapped(plain(words), font=PLAIN, size=6.4, room=step - 8)):
            canvas.drawString(x, paper.y - 39 - 8 * row, line)
        canvas.setFillColorRGB(*INK)
        canvas.setFont(BOLD, 13)
        canvas.drawString(x, paper.y - 27, plain(value))
    paper.y -= 50


def _equity(paper: Paper, result: "JudgedRun") -> None:
    run, capital = result.run, float(result.run.capital)
    rows = keep_extremes(run.equity, _LINE_POINTS)
    closes = run.ts_ms[rows] + run.timeframe_ms
    worth = capital * buy_and_hold(result.context.histories, result.start_ms, moments_ms=closes)
    span = (result.start_ms, result.end_ms)
    draw.curves(paper, span, t=closes, equity=run.equity[rows], held=worth)
    if np.ptp(worth) > _DWARFED * np.ptp(run.equity[rows]) > 0:
        say(paper, "The strategy alone:", size=7.5, colour=SOFT, gap=2)
        draw.alone(paper, span, t=closes, equity=run.equity[rows])


def _risk(paper: Paper, result: "JudgedRun") -> None:
    run = result.run
    span = (result.start_ms, result.end_ms)
    closes = run.ts_ms + run.timeframe_ms
    paper.need(150)
    paper.heading("Risk", key="risk", note="Drawdown: % below the highest equity so far.")
    falls = -100 * drawdowns(run.equity, float(run.capital))
    rows = keep_extremes(falls, _LINE_POINTS)
    draw.under_water(paper, span, t=closes[rows], falls=falls[rows])
    paper.need(120)
    note = "Gross exposure, multiples of equity."
    say(paper, note, size=7.5, colour=SOFT, gap=2)
    rows = keep_extremes(run.exposure, _LINE_POINTS)
    draw.exposure(paper, span, t=closes[rows], values=run.exposure[rows])


def _trades(paper: Paper, result: "JudgedRun") -> None:
    trips = result.trips
    note = "Left: round trips by net profit, the outer bars hold all beyond. Right: each round "
    note += "trip's furthest move against it and its result, % of the entry; crosses lost."
    paper.need(190)
    paper.heading("Trades", key="trades", note=note if len(trips) else "")
    if not len(trips):
        say(paper, "No round trip was completed.", colour=SOFT)
        return
    adverse, _ = result.excursions
    draw.trades(
        paper,
        trips.pnl,
        adverse=100 * adverse,
        results=100 * trips.returns,
        currency=result.currency,
    )
    shown = range(len(trips) - 1, max(-1, len(trips) - 1 - _TRIPS), -1)
    names = list(result.context.histories)
    head = ("Entry, UTC", "Exit, UTC", "Side", "Quantity", "In", "Out",
            f"Net, {result.currency}", "Return", "Closed by")  # fmt: skip
    rows = [
        (
            format_ms(int(trips.entry_ts_ms[at])).replace("T", " ")[:16],
            format_ms(int(trips.exit_ts_ms[at])).replace("T", " ")[:16],
            ("long " if trips.direction[at] > 0 else "short ")
            + (names[int(trips.instrument[at])].partition(":")[2] if len(names) > 1 else ""),
            f"{trips.qty[at]:g}",
            f"{trips.entry_price[at]:,.8g}",
            f"{trips.exit_price[at]:,.8g}",
            money(float(trips.pnl[at]), signed=True),
            percent(float(trips.returns[at]), signed=True, digits=2),
            Reason(int(trips.exit_reason[at])).name.lower().replace("_", " "),
        )
        for at in shown
    ]
    if len(rows) < len(trips):
        say(paper, f"The last {len(rows)} of {plural(len(trips), 'round trip')}:", size=7.5,
             colour=SOFT, gap=2)  # fmt: skip
    grid(
        paper,
        rows,
        head=head,
        widths=(1.5, 1.5, 1.2, 1, 1.1, 1.1, 1.1, 0.9, 1.2),
        numbers=range(3, 8),
    )


def _costs(paper: Paper, result: "JudgedRun") -> None:
    costs = result.costs
    note = f"{result.currency}; – paid, + received. {percent(result.metrics['maker_share'])} of "
    note += "what was traded rested in the book."
    paper.need(150)
    paper.heading("Costs", key="costs", note=note)
    steps = [
        ("Profit before costs", costs["profit_before_costs"]),
        ("Spread", -costs["spread_cost"]),
        ("Impact of our size", -costs["impact_cost"]),
        ("Fees", -costs["fees"]),
        ("Funding", costs["funding"]),
        ("Liquidation fees", -costs["liquidation_fees"]),
    ]
    draw.waterfall(paper, [*steps, ("Net profit", costs["net_profit"])])


def _origins(paper: Paper, result: "JudgedRun") -> None:
    note = f"Amounts in {result.currency}, net of costs; spread and impact are inside the prices."
    paper.heading("Where it came from", key="origins", note=note)
    for found in (*origins(result), hour_listing(result)):
        if not found.rows:
            continue
        paper.need(60)
        say(paper, found.title, size=9, font=BOLD, gap=1)
        if found.note:
            say(paper, found.note, size=7.5, colour=SOFT)
        count_of = len(found.header)
        last = 2.4 if found.header[-1] == "which is" else 1.0
        numbers = range(1, count_of - 1 if last > 1 else count_of)
        widths = (1.5, *[1.0] * (count_of - 2), last)
        grid(paper, found.cells, head=found.heads, widths=widths, numbers=numbers)


def _robustness(paper: Paper, result: "JudgedRun") -> None:
    note = "Left: Sharpe ratio of a rolling stretch of days. Right: days by return, %."
    paper.need(180)
    paper.heading("Robustness", key="robustness", note=note)
    draw.steadiness(paper, result.days.returns, t=(result.days.day + 1) * DAY_MS)
    if len(result.days) > 1:
        draw.bands(paper, robust.bands_chart(result))
        say(paper, bands_sentence(result), size=8, gap=2)
    found = reconsider(result.metrics, result.verdict)
    paper.heading("What would change my mind", key="mind")
    for title, sentences in (("For it", found.more), ("Against it", found.less)):
        for sentence in sentences:
            marked(paper, sentence, mark=title, colour=SOFT)


def _figures(paper: Paper, result: "JudgedRun") -> None:
    paper.heading("All figures", key="figures", note="Definitions: the manual's page on metrics.")
    for group, title in _GROUPS.items():
        rows = [
            (item.label, figure(item.name, result.metrics[item.name], currency=result.currency))
            for item in DEFINITIONS
            if item.group is group
        ]
        half = math.ceil(len(rows) / 2)
        pairs = [
            (*left, *(rows[half + at] if half + at < len(rows) else ("", "")))
            for at, left in enumerate(rows[:half])
        ]
        grid(paper, pairs, head=(title, "", "", ""), widths=(2, 1.3, 2, 1.3), numbers=(1, 3))


def _made_from(paper: Paper, result: "JudgedRun") -> None:
    record = result.record
    paper.heading("What it was made from", key="record")
    rows = [
        ("Strategy", f"{record['strategy']}, source {record['source_hash'][:12]}"),
        ("Parameters", _pairs(record["params"])),
        *((f"Settings: {name}", _pairs(group)) for name, group in record["settings"].items()),
        *((name, f"{data['bars']:,} bars, {data['from']} to {data['to']}, fingerprint "
           f"{data['fingerprint'][:12]}") for name, data in record["data"].items()),
        ("Versions", _pairs(record["versions"])),
        *(("Note", note) for note in record["notes"]),
    ]  # fmt: skip
    for name, words in rows:
        say(paper, f"{name}: {words}", size=7.5, gap=1.5)
    say(paper, "A backtest is what would have happened under the stated assumptions, not a "
         "promise.", size=7.5, colour=SOFT)  # fmt: skip


def _pairs(values: Any) -> str:
    return ", ".join(f"{name} = {value}" for name, value in values.items()) or "none"
