"""`openalpha demo`: the built-in strategies on a synthetic market, with costs and verdicts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from openalpha.cli.conventions import (
    ConfigOption,
    JsonOption,
    QuietOption,
    Screen,
    SetOption,
    read_settings,
    write_text,
)
from openalpha.cli.demo_market import BTC, BTC_SPOT, ETH, TIMEFRAME, demo_histories

if TYPE_CHECKING:
    from openalpha.market.history import History
    from openalpha.research.result import BacktestResult
    from openalpha.settings import LoadedSettings

__all__ = ["app"]

app = typer.Typer()

_BTC_ONLY = MappingProxyType({BTC: BTC})
_BOTH = MappingProxyType({BTC: BTC, ETH: ETH})


@dataclass(frozen=True, slots=True)
class _Plan:
    """One run of the demo: a strategy, its market by role, and parameters that suit hours."""

    strategy: str
    market: Mapping[str, str] = field(default_factory=lambda: _BTC_ONLY)
    params: Mapping[str, Any] = field(default_factory=dict)


# Chosen before any result was seen, for hourly bars; nothing here was searched for.
PLANS = (
    _Plan("buy_and_hold"),
    _Plan("ma_cross", params={"fast": 20, "slow": 100}),
    _Plan("momentum", _BOTH, {"lookback": 168}),
    _Plan("macd"),
    _Plan("breakout", _BOTH),
    _Plan("rsi_reversion"),
    _Plan("bollinger"),
    _Plan("mean_reversion_volume", {ETH: ETH}),
    _Plan("funding_carry", {"spot": BTC_SPOT, "perp": BTC}),
    _Plan("grid"),
    _Plan("dca"),
)
# Spot and a perpetual, fees in two coins, funding: its books show every kind of entry.
TAXED = next(number for number, plan in enumerate(PLANS) if plan.strategy == "funding_carry")


@app.command()
def demo(
    seed: Annotated[int, typer.Option(help="Which of the synthetic markets.", min=0)] = 7,
    home: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Use this home instead of yours.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where the HTML report goes.")
    ] = None,
    replaces: Annotated[
        bool,
        typer.Option("--replace", help="Put the market in the place of another synthetic one."),
    ] = False,
    json_to: JsonOption = None,
    settings: SetOption = None,
    config: ConfigOption = None,
    quiet: QuietOption = False,
) -> None:
    """Test the built-in strategies on a SYNTHETIC market and compare them."""
    from openalpha.cli.demo_table import demo_document, show_demo
    from openalpha.cli.demo_tax import post_and_tell
    from openalpha.cli.demo_trading import show_trading
    from openalpha.cli.kernel import compile_kernel
    from openalpha.settings import prepare_home

    screen = Screen(json_to, is_quiet=quiet)
    overrides = [*(settings or ()), *([] if home is None else [f"home.path={home.absolute()}"])]
    loaded = read_settings(config, overrides)
    prepare_home(loaded.home)
    compile_kernel(screen)
    histories = demo_histories(screen, loaded, seed=seed, replaces=replaces)
    results, run_ids = [], []
    screen.remark(f"Testing {len(PLANS)} strategies on two years of {TIMEFRAME} bars")
    with screen.progress("testing", len(PLANS), unit="runs") as advance:
        for plan, result, run_id in _results(histories, loaded):
            results.append(result)
            run_ids.append(run_id)
            advance(1, what=f"tested {plan.strategy}")
    if not quiet and json_to != "-":
        show_demo(results, seed=seed)
    page = html or loaded.home / "demo" / "report.html"
    _write_pages(results, page, loaded)
    screen.remark(f"HTML report: {page}")
    traded = show_trading(screen, loaded, seed=seed)
    tax = post_and_tell(screen, loaded, results[TAXED], run_id=run_ids[TAXED])
    document = demo_document(results, seed=seed, page=page)
    screen.result(document | {"tax": tax, "trading": traded})
    _say_what_next(screen, home, run_id=run_ids[TAXED])


def _results(
    histories: Mapping[str, "History"], loaded: "LoadedSettings"
) -> Iterator[tuple[_Plan, "BacktestResult", str]]:
    from openalpha import api

    groups = loaded.settings
    for plan in PLANS:
        result = api.backtest(
            plan.strategy,
            {role: histories[name] for role, name in plan.market.items()},
            params=plan.params,
            costs=groups.costs,
            sizing=groups.sizing,
            margin=groups.margin,
            fills=groups.fills,
            risk=groups.risk,
            home=loaded.home,
        )
        yield plan, result, result.save().id


def _write_pages(results: Sequence["BacktestResult"], page: Path, loaded: "LoadedSettings") -> None:
    """Write the page that compares, and beside it a report of each run."""
    from openalpha.research.report import compare_html, report_html

    folder = page.with_suffix("")
    links = {}
    for result in results:
        name = f"{result.context.strategy}.html"
        write_text(folder / name, report_html(result, loaded.settings.report))
        links[result.context.strategy] = f"{folder.name}/{name}"
    title = "The built-in strategies on a synthetic market"
    write_text(
        page, compare_html(results, links=links, title=title, settings=loaded.settings.report)
    )


def _say_what_next(screen: Screen, home: Path | None, *, run_id: str) -> None:
    if screen.is_quiet:
        return
    prefix = f"OPENALPHA_HOME={home.absolute()} " if home is not None else ""
    screen.remark("")
    screen.remark("Next, for example:")
    for line in (
        f"openalpha tax report --year 2023-24 -e backtest --account {run_id} --pdf tax.pdf",
        f"openalpha backtest ma_cross --instrument {BTC} --param fast=20 --param slow=100",
        "openalpha data import PATH        # your own history; then name its instrument",
        "openalpha strategy new my_idea    # a strategy file to edit",
    ):
        screen.remark(f"  {prefix}{line}")
