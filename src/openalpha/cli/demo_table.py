"""The demonstration's table: what each strategy made, what it cost, what to believe of it."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from openalpha.research.result import BacktestResult

__all__ = ["demo_document", "show_demo"]

_SHORT = {"synthetic_linear:BTCUSDT": "BTC", "synthetic_linear:ETHUSDT": "ETH",
          "synthetic_spot:BTCUSDT": "BTC spot"}  # fmt: skip
_HEADS = (
    "strategy", "market", "return\n%", "Sharpe", "draw-\ndown %", "fees\n%", "slip\n%",
    "fund-\ning %", "trips", "tri-\nals", "verdict",
)  # fmt: skip
_COLOURS = {"lost": "red", "not credible": "bold red", "reservations": "yellow"}


def show_demo(
    results: Sequence["BacktestResult"], *, seed: int, console: "Console | None" = None
) -> None:
    """Print the table, 80 columns wide, with the reminder that the market is made up."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = console or Console()
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for head in _HEADS:
        is_text = head in ("strategy", "market", "verdict")
        table.add_column(head, justify="left" if is_text else "right", vertical="bottom")
    for result in results:
        cells = [*_figures(result)]
        label = result.verdict.label
        table.add_row(
            result.context.strategy.replace("_volume", "_\nvolume"),
            _market(result),
            Text(cells[0], style="blue" if result.metrics["net_profit"] > 0 else "red"),
            *cells[1:],
            Text(label, style=_COLOURS.get(label, "")),
        )
    console.print()
    console.print(table)
    console.print(
        f"Returns are after all costs; fees, slip (spread and impact) and funding (received is +) "
        f"are in % of the capital of {float(results[0].run.capital):,.0f} {results[0].currency}."
    )
    console.print(
        f"[bold magenta]This market is SYNTHETIC[/] (seed {seed}): noise without an edge, so over "
        "many seeds nothing here earns more than luck, before costs. What looks good is luck.",
    )


def _market(result: "BacktestResult") -> str:
    names = [_SHORT.get(name, name) for name in result.context.histories]
    if names == ["BTC spot", "BTC"]:
        return "BTC ±"
    return "+".join(names)


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
        str(result.record["trial"]["family"]),
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
