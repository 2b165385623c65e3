"""The HTML report of one run."""

from html import escape
from typing import TYPE_CHECKING, Any

from openalpha.core.clock import format_ms
from openalpha.research.report import behind, charts, robust, sections
from openalpha.research.report.origins import bands_sentence, hour_listing, origins
from openalpha.research.report.page import page, section, synthetic_banner
from openalpha.research.settings import ReportSettings

if TYPE_CHECKING:
    from openalpha.research.judged import JudgedRun

__all__ = ["report_html"]


def report_html(result: "JudgedRun", settings: ReportSettings | None = None) -> str:
    """Return the report as one self-contained HTML document: no request leaves the page.

    Parameters
    ----------
    result : JudgedRun
    settings : ReportSettings, optional
        How much to draw.
    """
    settings = settings or ReportSettings()
    curve = charts.curve_chart(result, settings)
    prices = charts.price_charts(result, settings)
    pnl = charts.histogram_chart(result.trips.pnl, result.currency)
    rolling, days = robust.rolling_chart(result), robust.day_histogram(result.days.returns)
    moves = robust.excursion_points(result)
    months = list(zip(result.by_month["month"], result.by_month["return"], strict=True))
    currency = escape(result.currency)
    body = "".join(
        (
            synthetic_banner(list(result.context.histories)),
            _head(result),
            sections.key_figures(result),
            sections.verdict_box(result.verdict),
            section(
                "Equity, drawdown and exposure",
                '<div class="tools"><button id="bench" type="button" aria-pressed="true">'
                'Buy and hold</button></div><div id="curve" class="chart tall" role="img" '
                'aria-label="Equity against buy and hold, drawdown and exposure over time"></div>'
                + behind.folded(behind.curve_table(result)),
                note=curve["remark"],
            ),
            section("Months", sections.heat_map(months), note="Return in %, calendar months, UTC."),
            section("After tax", sections.after_tax_text(result.after_tax), note="Australia, AUD."),
            section("Trades", _price_chart(prices)),
            section("Last round trips", sections.trip_table(result, settings.table_rows),
                    note="Worst, best: the furthest the price went against and for the position."),
            _excursions(result, moves),
            '<div class="pair">',
            section("What it cost", sections.cost_split(result)),
            section(
                "Round trips by result",
                '<div id="histogram" class="chart" role="img" aria-label="Round trips by net '
                'profit"></div>' + behind.folded(behind.trip_counts(pnl, result.currency)),
                note="The outermost bars hold all beyond.",
            ),
            "</div>",
            _origins(result),
            _steadiness(rolling, days),
            _bands(result),
            section("What would change my mind", behind.mind_text(result)),
            section("All figures", sections.figure_groups(result),
                    note="Point at a line for its definition."),
            section("What it was made from", sections.record_details(result)),
        )
    )  # fmt: skip
    footer = (
        f"<p>Times are UTC. Money is in {currency}. Equity is marked at bar closes; Sharpe and its "
        "kin use UTC-daily simple returns and 365 days a year. Buy and hold is shown before costs."
        f"</p><p>Made {escape(format_ms(result.context.created_ms))} by OpenAlpha. A backtest is "
        "what would have happened under the stated assumptions, not a promise.</p>"
    )
    data = {
        "curve": curve, "prices": prices, "histogram": pnl, "rolling": rolling, "days": days,
        "moves": moves, "hours": charts.hour_chart(result), "bands": robust.bands_chart(result),
    }  # fmt: skip
    title = f"{result.context.strategy} on {', '.join(result.context.histories)}"
    return page(title=title, body=body, data=data, footer=footer)


def _head(result: "JudgedRun") -> str:
    return (
        f'<header class="head"><p class="kicker">{sections.subtitle(result)}</p>'
        f"<h1>{escape(result.verdict.headline)}</h1></header>"
    )


def _steadiness(rolling: dict[str, Any], days: dict[str, Any]) -> str:
    place = '<div id="{}" class="chart" role="img" aria-label="{}"></div>'
    left = '<p class="muted">Too few days with movement for a rolling figure.</p>'
    if rolling["t"]:
        label = "Sharpe ratio of a rolling stretch of days"
        left = place.format("rolling", label) + behind.folded(behind.rolling_table(rolling))
    right = '<p class="muted">No day moved.</p>'
    if days["x"]:
        right = place.format("days", "Days by return") + behind.folded(behind.day_table(days))
    span = f"The {rolling['window']} days before each day." if rolling["t"] else ""
    still = f"{days['still']:,} days without movement are left out." if days["still"] else ""
    return (
        '<div class="pair">' + section("Rolling Sharpe ratio", left, note=span)
        + section("Days by return", right, note=still) + "</div>"
    )  # fmt: skip


def _origins(result: "JudgedRun") -> str:
    parts = []
    for found in origins(result):
        note = f'<p class="muted">{escape(found.note)}</p>' if found.note else ""
        parts.append(f"<h3>{escape(found.title)}</h3>{found.html()}{note}")
    if len(result.trips):
        parts.append(
            '<h3>By hour of entry</h3><div id="hours" class="chart" role="img" aria-label="Net '
            'profit by hour of entry"></div>' + behind.folded(hour_listing(result).html())
        )
    note = f"Amounts in {result.currency}, net of costs; spread and impact are inside the prices."
    return section("Where it came from", "".join(parts), note=note, classes="origins")


def _bands(result: "JudgedRun") -> str:
    if len(result.days) < 2:
        return ""
    place = '<div id="bands" class="chart" role="img" aria-label="Deepest drawdown so far, and how '
    place += 'deep the same days in another order fall"></div>'
    words = f'<p class="muted">{escape(bands_sentence(result))}</p>'
    table = behind.folded(robust.bands_listing(result).html())
    return section("How deep it could have fallen", place + words + table)


def _excursions(result: "JudgedRun", moves: dict[str, Any]) -> str:
    if not moves["of"]:
        return ""
    note = "Each round trip's furthest move against it and for it, beside its result."
    if moves["shown"] < moves["of"]:
        note += f" {moves['shown']:,} of {moves['of']:,}, extremes among them."
    place = '<div id="moves" class="chart" role="img" aria-label="Moves within round trips"></div>'
    table = behind.folded(robust.excursion_listing(result).html())
    return section("How far trades went", place + table, note=note)


def _price_chart(prices: list[dict[str, object]]) -> str:
    options = "".join(
        f'<option value="{at}">{escape(str(chart["name"]))}</option>'
        for at, chart in enumerate(prices)
    )
    hidden = " hidden" if len(prices) < 2 else ""
    return (
        f'<div class="tools"><select id="instrument" aria-label="Instrument"{hidden}>{options}'
        '</select><div id="views" role="group" aria-label="Part of the history"></div></div>'
        '<div id="price" class="chart tall" role="img" aria-label="Candles with fills"></div>'
        '<p class="muted" id="price-remark"></p>'
    )
