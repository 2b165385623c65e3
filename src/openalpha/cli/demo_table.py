"""The demonstration's table: what each strategy made, what it cost, what to believe of it."""

from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from openalpha.cli.demo_market import BTC, BTC_SPOT, ETH

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from openalpha.research.result import BacktestResult

__all__ = ["demo_document", "show_demo"]

_SHORT = MappingProxyType({BTC: "BTC", ETH: "ETH", BTC_SPOT: "spot"})
# Heads stand in two lines, so that the whole table fits a terminal of 80 columns.
_HEADS = (
    "strategy", "market", "net\n%", "Sharpe", "draw-\ndown", "fees\n%", "slip\n%", "fund-\ning",
    "trips", "tri-\nals", "verdict",
)  # fmt: skip
_TEXTS = ("strategy", "market", "verdict")
_COLOURS = MappingProxyType(
    {"lost": "red", "not credible": "bold red", "reservations": "yellow", "no objection": "green"}
)


def show_demo(
    results: Sequence["BacktestResult"], *, seed: int, console: "Console | None" = None
) -> None:
    """Print the table, 80 columns wide, with the reminder that the market is made up."""
    from rich.console import Console

    console = console or Console()
    capital = f"{float(results[0].run.capital):,.0f} {results[0].currency}"
    console.print()
    console.print(_table(results))
    console.print()
    console.print(
        "net: return in % of the capital after all costs; drawdown in %; fees, slip (spread and "
        f"impact) and funding (+ received) in % of the capital of {capital}; trips: round trips; "
        "trials: configurations its family has tried. both: BTC and ETH on one account; "
        "carry: BTC spot held against a short perpetual.",
        style="dim",
    )
    console.print()
    console.print(
        f"[bold magenta]This market is SYNTHETIC[/] (seed {seed}): noise with no edge planted. "
        "What earned here was lucky or was paid for carrying risk, and another --seed says "
        "otherwise; nothing in it is evidence for a strategy.",
        highlight=False,
    )


def _table(results: Sequence["BacktestResult"]) -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for head in _HEADS:
        is_text = head in _TEXTS
        table.add_column(
            head, justify="left" if is_text else "right", vertical="bottom", no_wrap=True
        )
    for result in results:
        net, *figures = _figures(result)
        label = result.verdict.label
        colour = "blue" if result.metrics["net_profit"] > 0 else "red"
        table.add_row(
            # The one name too long for its column goes on two lines.
            result.context.strategy.replace("_volume", "\n_volume"),
            _market(result),
            Text(net, style=colour),
            *figures,
            Text(label, style=_COLOURS.get(label, "")),
        )
    return table


def _market(result: "BacktestResult") -> str:
    names = [_SHORT[name] for name in result.context.histories]
    if len(names) == 1:
        return names[0]
    return "carry" if "spot" in names else "both"


def _figures(result: "BacktestResult") -> tuple[str, ...]:
    from openalpha.research.wording import count, ratio

    m = result.metrics
    share = 100 / float(result.run.capital)
    return (
        _signed(100 * m["total_return"]),
        ratio(m["sharpe"]),
        ratio(100 * m["max_drawdown"], digits=1),
        ratio(share * m["fees"], digits=1),
        ratio(share * (m["spread_cost"] + m["impact_cost"]), digits=1),
        _signed(share * m["funding"]),
        count(m["round_trips"]),
        count(result.record["trial"]["family"]),
    )


def _signed(value: float) -> str:
    from openalpha.research.wording import ratio

    text = ratio(value, digits=1)
    return f"+{text}" if value > 0 and text != "0.0" else text


def demo_document(results: Sequence["BacktestResult"], *, seed: int, page: Path) -> dict[str, Any]:
    """Return the table as JSON can hold it."""
    return {
        "schema": "openalpha.demo/1",
        "seed": seed,
        "is_synthetic": True,
        "report": page,
        "runs": [
            {
                "strategy": result.context.strategy,
                "instruments": list(result.context.histories),
                "params": dict(result.context.params),
                "metrics": result.metrics,
                "costs": result.costs,
                "trials": result.record["trial"]["family"],
                "verdict": result.verdict.label,
                "checks": [check.sentence for check in result.verdict.checks],
            }
            for result in results
        ],
    }
