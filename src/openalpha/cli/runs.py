"""`openalpha runs`: list runs, and tell those that are led to stop, pause, resume or restart."""

from typing import TYPE_CHECKING, Annotated

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
from openalpha.cli.live_tables import show_rows

if TYPE_CHECKING:
    from openalpha.settings import LoadedSettings

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="List runs and command those that are led.")

_RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="Its id, or the beginning of it.")]
_ReasonOption = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="Why; it is kept in the run's log.")
]


@app.command(name="list")
def list_runs(
    json_to: JsonOption = None,
    settings: SetOption = None,
    config: ConfigOption = None,
    quiet: QuietOption = False,
) -> None:
    """List every run that is or was led, oldest first within each environment."""
    from openalpha.trading.run_folder import run_folders

    screen = Screen(json_to, is_quiet=quiet)
    loaded = read_settings(config, settings)
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
    show_rows(screen, rows, what="runs")
    screen.result({"schema": "openalpha.runs/1", "runs": rows})


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
    from openalpha.trading.commands import Command, send_command
    from openalpha.trading.run_folder import open_live_run

    folder = open_live_run(loaded.home, run)
    send_command(folder.port, Command(verb, reason, is_flatten=is_flatten))
    Screen(is_quiet=is_quiet).show(f"{verb} was taken by run {folder.id}")
