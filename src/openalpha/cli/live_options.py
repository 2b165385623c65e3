"""What the commands that show live runs share: which runs, and showing them again and again."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from openalpha.cli.conventions import Screen
from openalpha.core.errors import InputError

if TYPE_CHECKING:
    from openalpha.trading.run.folder import RunFolder

__all__ = [
    "AllOption",
    "EnvironmentOption",
    "RunOption",
    "WatchOption",
    "chosen_runs",
    "current",
    "show_again",
    "the_run",
]

EnvironmentOption = Annotated[
    str, typer.Option("--env", metavar="ENV", help="paper, twin, demo, testnet or live.")
]
AllOption = Annotated[
    bool, typer.Option("--all-environments", help="Every environment, side by side.")
]
RunOption = Annotated[
    str, typer.Option("--run", metavar="RUN", help="One run: its id, or the beginning of it.")
]
WatchOption = Annotated[
    bool, typer.Option("--watch", help="Show it again every second until Ctrl-C.")
]


def chosen_runs(
    home: Path, *, environment: str, is_everywhere: bool, run: str, with_starting: bool = False
) -> "list[RunFolder]":
    """Return the runs a command speaks of: one by id, those of an environment, or all.

    Without a choice it is those that are led now, or else the latest one. A run that is about to
    be led and has no log yet is among them only where that is asked for.

    Raises
    ------
    UnknownName
        If there is none of that id.
    InputError
        If the environment is none.
    """
    from openalpha.books.accounts import environment_of
    from openalpha.trading.run.folder import open_live_run, run_folders, starting_runs

    if run:
        return [open_live_run(home, run)]
    kind = environment_of(environment) if environment else None
    found = list(run_folders(home, kind))
    if with_starting:
        found += starting_runs(home, kind)
    if is_everywhere or environment:
        return found
    led = [folder for folder in found if folder.is_led() or folder.is_starting()]
    return led or found[-1:]


def the_run(home: Path, *, environment: str, run: str) -> "RunFolder":
    """Return the one run that is led now and meant.

    Raises
    ------
    InputError
        If there is none, or several and none was named.
    """
    found = chosen_runs(home, environment=environment, is_everywhere=False, run=run)
    led = found if run else [folder for folder in found if folder.is_led()]
    if len(led) != 1:
        names = ", ".join(folder.id for folder in led)
        raise InputError(
            f"several runs are led ({names}); name one with --run" if led else "no run is led now"
        )
    return led[0]


def current(folder: "RunFolder") -> dict[str, Any]:
    """Return where a run stands: by its own word where it is led, else as it last said."""
    from openalpha.core.errors import VenueUnavailable
    from openalpha.trading.run.commands import Command, send_command

    if folder.is_led():
        try:
            return send_command(folder.port, Command("STATUS"), timeout_s=2.0)
        except VenueUnavailable:
            pass  # it is just starting or ending: what it said last counts
    found = folder.status() or {"run": folder.id, "mode": "begun", "books": []}
    if found["mode"] != "ended" and not folder.is_led():
        found["mode"] = "starting" if folder.is_starting() else "interrupted"
    return {"environment": folder.environment.name.lower(), **found}


def show_again(screen: Screen, show: Callable[[], None], *, is_watched: bool) -> None:
    """Show something once, or every second until Ctrl-C."""
    if not is_watched:
        show()
        return
    if screen.json_to is not None:
        raise InputError("--watch shows a screen; leave it out with --json")
    try:
        for _ in _seconds():
            typer.echo("\x1b[2J\x1b[H", nl=False)
            show()
    except KeyboardInterrupt:
        return


def _seconds() -> Iterator[int]:
    count = 0
    while True:
        yield count
        count += 1
        time.sleep(1)
