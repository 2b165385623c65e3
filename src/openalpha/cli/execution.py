"""`openalpha execution`: how well orders were carried out, and the spread they measured."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
from openalpha.cli.live_options import EnvironmentOption, chosen_runs
from openalpha.core.errors import InputError

if TYPE_CHECKING:
    from decimal import Decimal

    from openalpha.settings import LoadedSettings
    from openalpha.trading.analysis.execution import Carried, Summary

__all__ = ["app"]

app = typer.Typer()

_LEGEND = """\
filled: of what was sent to be filled at once. fee, close, arrival, model: in
basis points, a cost where positive; slippage against the deciding close, the
open of the bar it arrived in, and what the kernel's order paid. send, ack,
fill: ms from the close to sending, from there to the answer and to the first
fill."""


@app.command()
def execution(
    run: Annotated[
        str, typer.Argument(metavar="[RUN]", help="Its id, or the beginning of it.")
    ] = "",
    environment: EnvironmentOption = "",
    calibrate: Annotated[
        Path | None,
        typer.Option(
            "--calibrate", metavar="FILE", help="Write the measured spreads as settings, TOML."
        ),
    ] = None,
    json_to: JsonOption = None,
    settings: SetOption = None,
    config: ConfigOption = None,
    quiet: QuietOption = False,
) -> None:
    """Show times and slippage of a run's orders, or of every run of an environment."""
    from openalpha.cli.kernel import compile_kernel
    from openalpha.trading.analysis.execution import measured_spreads, summed

    if bool(run) == bool(environment):
        raise InputError("name a run, or an environment by --env twin: one of the two")
    screen = Screen(json_to, is_quiet=quiet)
    loaded = read_settings(config, settings)
    compile_kernel(screen)
    orders = _orders(loaded, run, environment)
    by_instrument = summed(orders, lambda one: one.instrument)
    by_venue = summed(orders, lambda one: one.venue)
    by_hour = summed(orders, lambda one: one.hour)
    by_how = summed(orders, lambda one: one.how)
    spreads, too_few = measured_spreads(orders)
    if not orders:
        screen.show("There are no orders at a venue.")
    else:
        _show(screen, by_venue, "Orders by venue", "venue")
        _show(screen, by_instrument, "Orders by instrument", "instrument")
        _show(screen, by_hour, "Orders by hour of the UTC day", "hour")
        if len(by_how) > 1:
            _show(screen, by_how, "Orders whole and in pieces", "how")
        screen.show(_LEGEND)
    if calibrate is not None:
        _calibrate(screen, calibrate, spreads, too_few)
    screen.result(
        {
            "schema": "openalpha.execution/1",
            "orders": orders,
            "by_venue": by_venue,
            "by_instrument": by_instrument,
            "by_how": by_how,
            "by_hour": {str(hour): found for hour, found in by_hour.items()},
            "spreads_bps": spreads,
            "too_few_orders": too_few,
        }
    )


def _orders(loaded: "LoadedSettings", run: str, environment: str) -> "list[Carried]":
    from openalpha.core.messages import Environment
    from openalpha.trading.analysis.execution import carried_orders

    folders = chosen_runs(loaded.home, environment=environment, is_everywhere=False, run=run)
    if any(folder.environment is Environment.PAPER for folder in folders):
        raise InputError("a paper run's fills are the model's own; there is nothing to measure")
    return [
        order
        for folder in folders
        for order in carried_orders(folder, strategies=loaded.home / "strategies")
    ]


def _show(screen: Screen, groups: "dict[str | int, Summary]", title: str, what: str) -> None:
    from rich.table import Table

    heads = ("orders", "filled", "fee", "close", "arrival", "model", "send", "ack", "fill")
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column(what)
    for head in heads:
        table.add_column(head, justify="right")
    for name, found in groups.items():
        table.add_row(
            str(name).removeprefix("bybit_"),
            str(found.orders),
            _text(found.filled_share, ".1%"),
            *(_text(value, ".2f") for value in (found.fee_bps, found.decision_bps)),
            *(_text(value, ".2f") for value in (found.arrival_bps, found.model_bps)),
            *(_text(value, "d") for value in (found.send_ms, found.ack_ms, found.fill_ms)),
        )
    screen.show(table)


def _text(value: object, form: str) -> str:
    return "–" if value is None else format(value, form)


def _calibrate(
    screen: Screen, path: Path, spreads: "Mapping[str, Decimal]", too_few: Iterable[str]
) -> None:
    for name in too_few:
        screen.remark(f"{name} has fewer than 20 executed market orders: its spread is left out")
    if not spreads:
        raise InputError(f"nothing was measured, so {path} is not written: trade more first")
    text = " ".join(f"{name}={spread:f}" for name, spread in spreads.items())
    write_text(path, f'[costs]\ncalibrated = "{text}"\n')
    screen.show(f"{path} has the measured spreads: add --config {path} to a backtest.")
