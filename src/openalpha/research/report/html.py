"""The HTML report of one run."""

from html import escape
from typing import TYPE_CHECKING

from openalpha.core.clock import format_ms
from openalpha.research.report import charts, sections
from openalpha.research.report.page import page, section
from openalpha.research.settings import ReportSettings

if TYPE_CHECKING:
    from openalpha.research.result import BacktestResult

__all__ = ["report_html", "synthetic_banner"]


def report_html(result: "BacktestResult", settings: ReportSettings | None = None) -> str:
    """Return the report as one self-contained HTML document: no request leaves the page.

    Parameters
    ----------
    result : BacktestResult
    settings : ReportSettings, optional
        How much to draw.
    """
    settings = settings or ReportSettings()
    curve = charts.curve_chart(result, settings)
    prices = charts.price_charts(result, settings)
    pnl = charts.histogram_chart(result.trips.pnl, result.currency)
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
                '<div id="curve" class="chart tall" role="img" aria-label="Equity against buy and '
                'hold, drawdown and exposure over time"></div>',
                note=curve["remark"],
            ),
            section("Months", sections.heat_map(months), note="Return in %, calendar months, UTC."),
            '<div class="pair">',
            section("What it cost", sections.cost_split(result)),
            section(
                "Round trips by result",
                '<div id="histogram" class="chart" role="img" aria-label="Round trips by net '
                'profit"></div>',
                note="The outermost bars hold all beyond.",
            ),
            "</div>",
            section("After tax", sections.after_tax_text(result.after_tax), note="Australia, AUD."),
            section("Trades", _price_chart(prices)),
            section("Sides" if len(result.instruments) == 1 else "Sides and instruments",
                    sections.side_table(result)),
            section("Last round trips", sections.trip_table(result, settings.table_rows),
                    note="Worst, best: the furthest the price went against and for the position."),
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
    data = {"curve": curve, "prices": prices, "histogram": pnl}
    title = f"{result.context.strategy} on {', '.join(result.context.histories)}"
    return page(title=title, body=body, data=data, footer=footer)


def synthetic_banner(instruments: list[str]) -> str:
    """Return a line that says so when a market is made up, else nothing."""
    if not any(name.startswith("synthetic") for name in instruments):
        return ""
    return '<p class="banner">Synthetic market: made by a generator, not recorded anywhere.</p>'


def _head(result: "BacktestResult") -> str:
    return (
        f'<header class="head"><p class="kicker">{sections.subtitle(result)}</p>'
        f"<h1>{escape(result.verdict.headline)}</h1></header>"
    )


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
