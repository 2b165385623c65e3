"""`openalpha strategy`: list, show, start and check strategies."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from openalpha.cli.conventions import (
    ConfigOption,
    JsonOption,
    QuietOption,
    Screen,
    read_settings,
    write_text,
)
from openalpha.core.errors import InputError, OpenAlphaError

if TYPE_CHECKING:
    from openalpha.strategy import ProofResult, Strategy

__all__ = ["app", "parse_pairs"]

app = typer.Typer(no_args_is_help=True, help="List, show, start and check strategies.")

StrategyArgument = Annotated[
    str,
    typer.Argument(metavar="STRATEGY", help="A name, or a .py file (FILE.py:Class of several)."),
]
ParamOption = Annotated[
    list[str] | None,
    typer.Option("--param", metavar="NAME=VALUE", help="Set a strategy parameter; repeatable."),
]


@app.command(name="list")
def list_strategies(
    config: ConfigOption = None, json_to: JsonOption = None, quiet: QuietOption = False
) -> None:
    """List every strategy: built in, installed, and those in the home's strategies folder."""
    from rich.table import Table

    from openalpha.strategy import strategy_names

    folder = _folder(config)
    rows = [_row(name, folder) for name in strategy_names(folder)]
    table = Table("strategy", "kind", "idea", box=None, pad_edge=False)
    for row in rows:
        table.add_row(row["name"], row["kind"], row["idea"] or row["fault"])
    screen = Screen(json_to, is_quiet=quiet)
    screen.show(table)
    screen.result({"schema": "openalpha.strategies/1", "strategies": rows})


@app.command()
def show(
    strategy: StrategyArgument,
    config: ConfigOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Show what a strategy does and every parameter with its default, range and unit."""
    from dataclasses import asdict

    from openalpha.strategy import load_strategy, parameter_table, source_hash

    cls = load_strategy(strategy, folder=_folder(config))
    parameters = parameter_table(cls.Params)
    screen = Screen(json_to, is_quiet=quiet)
    screen.show(f"{cls.name} ({_kind(cls)}): {cls.idea}")
    screen.show(_parameter_table(parameters) if parameters else "It has no parameters.")
    screen.result(
        {
            "schema": "openalpha.strategy/1",
            "name": cls.name,
            "kind": _kind(cls),
            "idea": cls.idea,
            "roles": list(getattr(cls, "roles", ())),
            "source_hash": source_hash(cls),
            "parameters": [asdict(row) for row in parameters],
        }
    )


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Name of the strategy: lower-case words and _.")],
    kind: Annotated[
        str, typer.Option("--kind", help="signal, portfolio (several instruments) or event.")
    ] = "signal",
    file: Annotated[
        Path | None, typer.Option("--file", help="Write here instead of NAME.py in this folder.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    quiet: QuietOption = False,
) -> None:
    """Write a strategy file that runs as it is, to be edited."""
    from openalpha.strategy.template import render_template

    text = render_template(name, kind)
    target = file or Path(f"{name}.py")
    if target.exists() and not force:
        raise InputError(f"{target} is there already; --force replaces it, --file names another")
    write_text(target, text)
    screen = Screen(is_quiet=quiet)
    screen.show(f"Strategy written to {target}; edit it, then: openalpha strategy check {target}")


@app.command()
def check(
    strategy: StrategyArgument,
    instrument: Annotated[
        list[str] | None,
        typer.Option(
            "--instrument",
            metavar="[ROLE=]ID",
            help="Check on this history of the lake instead of an invented one; repeatable.",
        ),
    ] = None,
    timeframe: Annotated[
        str, typer.Option("--timeframe", help="Time frame, with --instrument.")
    ] = "1h",
    param: ParamOption = None,
    bars: Annotated[
        int, typer.Option("--bars", min=500, help="Length of invented history.")
    ] = 6000,
    config: ConfigOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Prove that a strategy sees no future and declares its warm-up; exit 4 if it does not."""
    from openalpha.cli.border import CHECK_FAILED
    from openalpha.strategy import build_params, load_strategy, prove

    cls = load_strategy(strategy, folder=_folder(config))
    params = build_params(cls.Params, parse_pairs(param, "--param"), strategy=cls.name)
    histories: dict[str, Any]
    if instrument:
        histories = _from_lake(config, instrument, timeframe)
    else:
        histories = _invented(cls, bars)
    result = prove(cls, histories, params=params)
    screen = Screen(json_to, is_quiet=quiet)
    _show_proof(screen, result, histories, is_invented=not instrument)
    if not result.ok:
        raise typer.Exit(CHECK_FAILED)


def parse_pairs(texts: Sequence[str] | None, option: str) -> dict[str, str]:
    """Return `NAME=VALUE` texts as a mapping.

    Raises
    ------
    InputError
        If a text has no `=`, or a name comes twice.

    Examples
    --------
    >>> parse_pairs(["fast=10", "slow=50"], "--param")
    {'fast': '10', 'slow': '50'}
    """
    pairs: dict[str, str] = {}
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not (equals and name.strip()):
            raise InputError(f"{option} {text}: write NAME=VALUE")
        if name.strip() in pairs:
            raise InputError(f"{option} {name.strip()} is given twice")
        pairs[name.strip()] = value.strip()
    return pairs


def _show_proof(
    screen: Screen, result: "ProofResult", histories: dict[str, Any], *, is_invented: bool
) -> None:
    what = "invented bars" if is_invented else "bars of the lake"
    count = sum(len(item) for item in histories.values())
    if result.ok:
        screen.show(
            f"{result.strategy}: no look-ahead found, warm-up as declared "
            f"({count:,} {what}, computed {result.evaluations} times)."
        )
    for finding in result.findings:
        screen.show(f"{result.strategy}: {finding.words}.")
    screen.result(
        {
            "schema": "openalpha.strategy_check/1",
            "strategy": result.strategy,
            "is_fine": result.ok,
            "bars": count,
            "evaluations": result.evaluations,
            "findings": list(result.findings),
        }
    )


def _folder(config: Path | None) -> Path:
    return read_settings(config, ()).home / "strategies"


def _row(name: str, folder: Path) -> dict[str, str]:
    from openalpha.strategy import load_strategy

    try:
        cls = load_strategy(name, folder=folder)
    except OpenAlphaError as error:
        return {"name": name, "kind": "broken", "idea": "", "fault": error.message}
    return {"name": name, "kind": _kind(cls), "idea": cls.idea, "fault": ""}


def _kind(cls: "type[Strategy]") -> str:
    from openalpha.strategy import EventStrategy, PortfolioStrategy

    if issubclass(cls, EventStrategy):
        return "event"
    return "portfolio" if issubclass(cls, PortfolioStrategy) else "signal"


def _parameter_table(parameters: Sequence[Any]) -> Any:
    from rich.table import Table

    table = Table("parameter", "default", "range", "unit", "meaning", box=None, pad_edge=False)
    for row in parameters:
        table.add_row(row.name, str(row.default), _range(row), row.unit, row.help)
    return table


def _range(row: Any) -> str:
    if row.choices:
        return ", ".join(row.choices)
    if row.low is None and row.high is None:
        return "yes or no" if row.kind == "bool" else ""
    return f"{_number(row.low)} to {_number(row.high)}"


def _number(value: float | None) -> str:
    if value is None:
        return "any"
    return f"{value:,.0f}" if value == int(value) else f"{value:g}"


def _invented(cls: "type[Strategy]", bars: int) -> dict[str, Any]:
    from openalpha.strategy import EventStrategy, PortfolioStrategy
    from openalpha.strategy.specimen import specimen_bars

    if issubclass(cls, EventStrategy):
        # It is played bar by bar; the proof looks at no more than this.
        bars = min(bars, 2_000)
    keys: tuple[str, ...] = ("specimen:AAA",)
    if issubclass(cls, PortfolioStrategy):
        keys = cls.roles or ("specimen:AAA", "specimen:BBB", "specimen:CCC")
    return {
        key: specimen_bars(bars, seed=1 + number, instrument_id=key)
        for number, key in enumerate(keys)
    }


def _from_lake(config: Path | None, instruments: Sequence[str], timeframe: str) -> dict[str, Any]:
    from openalpha.market.lake import Lake

    lake = Lake(read_settings(config, ()).home)
    found = {}
    for text in instruments:
        role, equals, name = text.partition("=")
        key, wanted = (role, name) if equals else (text, text)
        found[key] = lake.load(wanted, timeframe)
    return found
