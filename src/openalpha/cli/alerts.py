"""`openalpha alerts`: who is told when something needs a person, and whether it arrives."""

from typing import Annotated

import typer

from openalpha.cli.conventions import (
    ConfigOption,
    JsonOption,
    QuietOption,
    Screen,
    SetOption,
    read_settings,
)
from openalpha.core.errors import VenueUnavailable

__all__ = ["app", "group"]

app = typer.Typer(no_args_is_help=True)


@app.callback()
def group() -> None:
    """Who is told when something needs a person, and whether it arrives."""


@app.command("test")
def send_test(
    message: Annotated[
        str, typer.Option("--message", metavar="WORDS", help="What the test says.")
    ] = "this is a test; nothing happened",
    config: ConfigOption = None,
    settings: SetOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Send a test to every address; exit code 5 if one of them does not take it."""
    from openalpha.cli.alert_port import port_of
    from openalpha.core.clock import SystemClock
    from openalpha.net.alerts import Alert, Severity

    loaded = read_settings(config, settings)
    screen = Screen(json_to, is_quiet=quiet)
    port = port_of(loaded.settings.alerts)
    failed = port.send(Alert(message, Severity.WARNING, SystemClock().now_ms()))
    why = {one.where: one.why for one in failed}
    for address in port.addresses:
        screen.show(f"{'FAILED' if address in why else 'sent':8}{address}  {why.get(address, '')}")
    screen.result({"schema": "openalpha.alerts/1", "addresses": port.addresses, "failed": failed})
    if failed:
        raise VenueUnavailable(
            f"{len(failed)} of {len(port.addresses)} addresses did not take the test; check "
            "them in alerts.urls"
        )
