"""The report in the terminal: 80 columns, plain words, signs beside colours."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from openalpha.core.clock import timeframe_name
from openalpha.research.circumstances import Severity
from openalpha.research.wording import after_tax_line, count, day, money, percent, plural, ratio

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from openalpha.research.judged import JudgedRun

__all__ = ["print_report"]

_COLOURS = {Severity.ALARM: "bold red", Severity.CAUTION: "yellow", Severity.NOTE: "dim"}
_MARKS = {Severity.ALARM: "✕", Severity.CAUTION: "!", Severity.NOTE: "·"}


def print_report(result: "JudgedRun", console: "Console | None" = None) -> None:
    """Print headline, verdict, money, risk, trades and costs. `NO_COLOR` is honoured.

    Parameters
    ----------
    result : JudgedRun
    console : rich.console.Console, optional
        Where to; standard output otherwise.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = console or Console()
    names = ", ".join(result.context.histories)
    span = f"{day(result.start_ms)} to {day(result.end_ms)} UTC"
    console.print(Text(f"{names}  {timeframe_name(result.run.timeframe_ms)}  {span}", style="dim"))
    if any(name.startswith("synthetic") for name in result.context.histories):
        console.print(Text("SYNTHETIC market: generated, not recorded", style="bold magenta"))
    console.print(Text(result.verdict.headline, style="bold"))
    console.print(Text(result.verdict.opinion))
    checks = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1))
    for check in result.verdict.checks:
        style = _COLOURS[check.severity]
        checks.add_row(Text(_MARKS[check.severity], style=style), Text(check.sentence, style=style))
    if result.verdict.checks:
        console.print(checks)
    console.print()
    grid = Table.grid(padding=(0, 3), expand=False)
    grid.add_row(_block("Money", _money(result)), _block("Risk", _risk(result)))
    grid.add_row(_block("Round trips", _trades(result)), _block("Costs", _costs(result)))
    grid.add_row(_block("Where it came from", _origins(result)),
                 _block("Against buy and hold", _against(result)))  # fmt: skip
    console.print(grid)
    _print_after_tax(result, console)


def _print_after_tax(result: "JudgedRun", console: "Console") -> None:
    from rich.text import Text

    console.print(Text(f"After tax  {after_tax_line(result.after_tax)}", style="bold"))
    if not result.after_tax.reason:
        console.print(Text(f"{result.after_tax.words}.", style="dim"))


Rows = Iterable[tuple[str, str, float | None]]


def _block(title: str, rows: Rows) -> "Table":
    from rich.table import Table
    from rich.text import Text

    block = Table(box=None, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0), min_width=36)
    block.add_column(title, no_wrap=True, header_style="bold")
    block.add_column("", justify="right", no_wrap=True)
    for name, value, sign in rows:
        style = "" if not sign else "blue" if sign > 0 else "red"
        block.add_row(Text(name, style="dim"), Text(value, style=style))
    block.add_row("", "")
    return block


def _money(result: "JudgedRun") -> Rows:
    m = result.metrics
    yield "final equity", money(m["final_equity"], result.currency), None
    yield "net profit", money(m["net_profit"], signed=True), m["net_profit"]
    yield "total return", percent(m["total_return"], signed=True), m["total_return"]
    yield "growth a year", percent(m["cagr"], signed=True), None
    yield "buy and hold", percent(m["benchmark_return"], signed=True), None
    yield "worst / best month", _pair(m["worst_month"], m["best_month"]), None


def _risk(result: "JudgedRun") -> Rows:
    m = result.metrics
    yield "Sharpe ratio", f"{ratio(m['sharpe'])} ± {ratio(m['sharpe_error'])}", None
    yield "Sortino ratio", ratio(m["sortino"]), None
    yield "volatility a year", percent(m["volatility_annual"]), None
    yield "deepest drawdown", percent(m["max_drawdown"]), None
    if len(result.days):
        half, most = result.deepest_bands.tolist()
        yield "days reordered, half within", percent(half), None
        yield "days reordered, 95 % within", percent(most), None
    yield "longest below a high", plural(m["max_drawdown_days"], "day"), None
    yield "worst day, 1 in 20", percent(-m["var_95"], signed=True), None


def _trades(result: "JudgedRun") -> Rows:
    m = result.metrics
    yield "round trips", count(m["round_trips"]), None
    yield "won", percent(m["win_rate"]), None
    yield "profit factor", ratio(m["profit_factor"]), None
    yield "average result", money(m["expectancy"], signed=True), m["expectancy"]
    yield "best", money(m["best_trade"], signed=True), m["best_trade"]
    yield "worst", money(m["worst_trade"], signed=True), m["worst_trade"]
    yield "time with a position", percent(m["exposure_share"]), None


def _costs(result: "JudgedRun") -> Rows:
    costs = result.costs
    yield "before costs", money(costs["profit_before_costs"], signed=True), None
    yield "spread", money(-costs["spread_cost"], signed=True), -costs["spread_cost"]
    yield "impact", money(-costs["impact_cost"], signed=True), -costs["impact_cost"]
    yield "fees", money(-costs["fees"], signed=True), -costs["fees"]
    yield "funding", money(costs["funding"], signed=True), costs["funding"]
    yield "net profit", money(costs["net_profit"], signed=True), costs["net_profit"]


def _origins(result: "JudgedRun") -> Rows:
    for row in result.by_side.to_dicts():
        yield f"{row['side']}, {plural(row['round_trips'], 'trip')}", *_signed(row["pnl"])
    if len(result.instruments) > 1:
        rows = result.by_instrument.sort("pnl").to_dicts()
        for words, row in (("worst", rows[0]), ("best", rows[-1])):
            yield f"{words} {row['instrument']}"[:26], *_signed(row["pnl"])
    hours = [row for row in result.by_hour.sort("pnl").to_dicts() if row["round_trips"]]
    if len(hours) > 1:
        for words, row in (("worst", hours[0]), ("best", hours[-1])):
            yield f"{words} entry hour, {row['hour']:02d}:00", *_signed(row["pnl"])
    for row in result.by_regime.to_dicts():
        if row["days"]:
            name = f"{row['regime']}, {plural(row['days'], 'day')}"
            yield name, percent(row["total_return"], signed=True), row["total_return"]


def _signed(amount: float) -> tuple[str, float]:
    return money(amount, signed=True), amount


def _against(result: "JudgedRun") -> Rows:
    found = result.against
    yield "alpha a year", percent(found.alpha_annual, signed=True), None
    yield "beta", ratio(found.beta), None
    yield "correlation", ratio(found.correlation), None
    yield "up capture", percent(found.up, digits=0), None
    yield "down capture", percent(found.down, digits=0), None


def _pair(low: float, high: float) -> str:
    return f"{percent(low, signed=True)} / {percent(high, signed=True)}"
