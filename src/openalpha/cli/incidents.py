"""`openalpha incidents`: what a person should look at, and the one command that settles it."""

from dataclasses import asdict
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
)
from openalpha.core.errors import InputError, UnknownName

if TYPE_CHECKING:
    from collections.abc import Sequence

    from openalpha.trading.run.incidents import IncidentBook, KeptIncident

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="List, show and settle what needs a person.")

EnvOption = Annotated[
    str, typer.Option("--env", metavar="ENV", help="Only this environment: twin, live, …")
]
IdArgument = Annotated[
    str, typer.Argument(metavar="ID", help="The incident, or how its id begins.")
]


@app.command("list")
def list_incidents(
    environment: EnvOption = "",
    everything: Annotated[bool, typer.Option("--all", help="Settled ones too.")] = False,
    config: ConfigOption = None,
    settings: SetOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """List incidents that are open; trading is reducing only while there are any."""
    from textwrap import fill

    from rich.markup import escape

    from openalpha.core.clock import format_ms

    screen = Screen(json_to, is_quiet=quiet)
    found = [
        one
        for book in _books(config, settings, environment)
        for one in (book.all() if everything else book.open_ones())
    ]
    for one in found:
        state = "open   " if one.is_open else "settled"
        when = format_ms(one.ts_ms)[:19].replace("T", " ")
        screen.show(f"{one.id:12}{state}  {one.environment:8}{when}  {one.code}")
        screen.show(escape(fill(one.words, 78, initial_indent="  ", subsequent_indent="  ")))
    if not found:
        screen.show("No incident was ever kept." if everything else "No incident is open.")
    screen.result({"schema": "openalpha.incidents/1", "incidents": [asdict(one) for one in found]})


@app.command()
def show(
    incident_id: IdArgument,
    config: ConfigOption = None,
    settings: SetOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Show one incident: what, when, how often, and what can be done."""
    _, found = _found(config, settings, incident_id)
    _tell(Screen(json_to, is_quiet=quiet), found)


@app.command()
def settle(
    incident_id: IdArgument,
    note: Annotated[str, typer.Option("--note", help="What you found, in your words.")] = "",
    config: ConfigOption = None,
    settings: SetOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Settle an incident: you have looked, and trading may go on as before."""
    from openalpha.core.clock import SystemClock

    book, found = _found(config, settings, incident_id)
    done = book.settle(found.id, note=note, now_ms=SystemClock().now_ms())
    _tell(Screen(json_to, is_quiet=quiet), done)


def _tell(screen: Screen, one: "KeptIncident") -> None:
    from openalpha.core.clock import format_ms

    times = "once" if one.count == 1 else f"{one.count} times"
    screen.show(f"{one.id}  {one.code} in {one.environment}, run {one.run_id}")
    screen.show(f"  told {times}, first at {format_ms(one.ts_ms)}: {one.words}")
    if one.is_open:
        screen.show(f"  to do: {one.advice}")
        screen.show(f"  then:  openalpha incidents settle {one.id} --note '…'")
    else:
        screen.show(f"  settled at {format_ms(one.settled_ms)}: {one.note}")
    screen.result({"schema": "openalpha.incident/1", **asdict(one)})


def _books(
    config: Path | None, settings: "Sequence[str] | None", environment: str
) -> "list[IncidentBook]":
    from openalpha.core.messages import Environment
    from openalpha.trading.run.incidents import IncidentBook

    home = read_settings(config, settings).home
    kinds = [kind for kind in Environment if environment.lower() in ("", kind.name.lower())]
    if not kinds:
        known = ", ".join(kind.name.lower() for kind in Environment)
        raise InputError(f"'{environment}' is no environment; there are {known}")
    return [IncidentBook(home, kind) for kind in kinds]


def _found(
    config: Path | None, settings: "Sequence[str] | None", incident_id: str
) -> "tuple[IncidentBook, KeptIncident]":
    found = []
    for book in _books(config, settings, ""):
        if any(one.id.startswith(incident_id) for one in book.all()):
            found.append((book, book.find(incident_id)))
    if len(found) == 1 and incident_id:
        return found[0]
    raise UnknownName(
        f"there is no incident '{incident_id}'; `openalpha incidents list --all` shows them"
        if not found or not incident_id
        else f"'{incident_id}' begins the id of several incidents; write more of it"
    )
