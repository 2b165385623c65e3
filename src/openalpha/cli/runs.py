"""`openalpha runs`: list runs, and tell those that are led to stop, pause, resume or restart."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from openalpha.cli.conventions import (
    ConfigOption,
    JsonOption,
    QuietOption,
    Screen,
    SetOption,
    read_settings,
)
from openalpha.cli.live_options import current
from openalpha.cli.live_tables import narrowed, show_rows

if TYPE_CHECKING:
    from openalpha.research.run_list import KeptBacktest
    from openalpha.settings import LoadedSettings

__all__ = ["app"]

app = typer.Typer(help="List runs and command those that are led.")

_RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="Its id, or the beginning of it.")]
_ReasonOption = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="Why; it is kept in the run's log.")
]
_FamilyOption = Annotated[
    str,
    typer.Option("--family", metavar="NAME", help="Only backtests that count as trials with it."),
]
_LastOption = Annotated[
    int, typer.Option("--last", metavar="N", min=1, help="At most so many backtests, the newest.")
]


@app.callback(invoke_without_command=True)
def runs(
    context: typer.Context,
    family: _FamilyOption = "",
    last: _LastOption = 20,
    json_to: JsonOption = None,
    settings: SetOption = None,
    config: ConfigOption = None,
    quiet: QuietOption = False,
) -> None:
    """List runs and command those that are led."""
    if context.invoked_subcommand is None:
        list_runs(family, last, json_to, settings, config, quiet)


@app.command(name="list")
def list_runs(
    family: _FamilyOption = "",
    last: _LastOption = 20,
    json_to: JsonOption = None,
    settings: SetOption = None,
    config: ConfigOption = None,
    quiet: QuietOption = False,
) -> None:
    """List backtests with their key figures, and every run that is or was led, oldest first."""
    from openalpha.research.run_list import backtests_kept

    screen = Screen(json_to, is_quiet=quiet)
    loaded = read_settings(config, settings)
    found = backtests_kept(loaded.home, family=family)
    _show_backtests(screen, found[-last:], total=len(found))
    rows = [] if family else _led(loaded)
    if rows or not found:
        show_rows(screen, narrowed(rows, keeps=("run",)), what="runs")
    screen.result({"schema": "openalpha.runs/1", "runs": rows, "backtests": found[-last:]})


def _led(loaded: "LoadedSettings") -> list[dict[str, Any]]:
    from openalpha.trading.run.folder import run_folders

    rows = []
    for folder in run_folders(loaded.home):
        found = current(folder)
        rows.append(
            {
                "environment": found["environment"],
                "run": folder.id,
                "strategies": ", ".join(book["name"] for book in found["books"]),
                "mode": found["mode"],
                "why": found.get("why", ""),
                "rows": found.get("rows", 0),
            }
        )
    return rows


def _show_backtests(screen: Screen, rows: "Sequence[KeptBacktest]", *, total: int) -> None:
    from rich.markup import escape
    from rich.table import Table

    from openalpha.research.wording import count, money, percent, ratio

    if not rows:
        return
    shown = f"The last {len(rows)} of {total:,} backtests" if len(rows) < total else "Backtests"
    table = Table(title=shown, title_justify="left", box=None, pad_edge=False)
    for name in ("run", "strategy", "on", "from", "to"):
        table.add_column(name, no_wrap=name == "run")
    for name in ("return", "Sharpe", "drawdown", "trips", "costs"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict")
    for row in rows:
        m = row.metrics
        table.add_row(
            row.run, escape(row.strategy), f"{', '.join(row.instruments)} {row.timeframe}",
            row.start[:10], row.end[:10], percent(m["total_return"], signed=True),
            ratio(m["sharpe"]), percent(m["max_drawdown"]), count(m["round_trips"]),
            money(m["total_costs"]), row.verdict,
        )  # fmt: skip
    screen.show(table)


@app.command()
def stop(
    run: _RunArgument,
    reason: _ReasonOption = "",
    flatten: Annotated[bool, typer.Option("--flatten", help="Close every position first.")] = False,
    settings: SetOption = None,
    config: ConfigOption = None,
    quiet: QuietOption = False,
) -> None:
    """End a run: entries are cancelled, protective stops stay; nothing brings it back."""
    _say(read_settings(config, settings), run, "STOP", reason, is_flatten=flatten, is_quiet=quiet)


@app.command()
def pause(
    run: _RunArgument,
    reason: _ReasonOption = "",
    settings: SetOption = None,
    config: ConfigOption = None,
    quiet: QuietOption = False,
) -> None:
    """Open nothing more until `openalpha runs resume`; exits go on working."""
    _say(read_settings(config, settings), run, "PAUSE", reason, is_quiet=quiet)


@app.command()
def resume(
    run: _RunArgument,
    reason: _ReasonOption = "",
    settings: SetOption = None,
    config: ConfigOption = None,
    quiet: QuietOption = False,
) -> None:
    """Let a paused run open positions again."""
    _say(read_settings(config, settings), run, "RESUME", reason, is_quiet=quiet)


@app.command()
def restart(
    run: _RunArgument,
    reason: _ReasonOption = "",
    settings: SetOption = None,
    config: ConfigOption = None,
    quiet: QuietOption = False,
) -> None:
    """Let a run begin anew from its log; it goes on where it was."""
    _say(read_settings(config, settings), run, "RESTART", reason, is_quiet=quiet)


def _say(
    loaded: "LoadedSettings",
    run: str,
    verb: str,
    reason: str,
    *,
    is_flatten: bool = False,
    is_quiet: bool,
) -> None:
    from openalpha.trading.run.commands import Command, send_command
    from openalpha.trading.run.folder import open_live_run

    folder = open_live_run(loaded.home, run)
    answer = send_command(folder.port, Command(verb, reason, is_flatten=is_flatten))
    screen = Screen(is_quiet=is_quiet)
    screen.show(f"{verb} was taken by run {folder.id}")
    if answer.get("words"):
        screen.show(f"but {answer['words']}")
