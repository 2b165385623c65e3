"""`openalpha stop --emergency`: cancels everything and closes every position, at once."""

from typing import Annotated

import typer

from openalpha.cli.conventions import ConfigOption, JsonOption, QuietOption, Screen, SetOption
from openalpha.cli.exchange_access import connect, home_of, name_of, vault_of
from openalpha.core.errors import InputError, VenueUnavailable

__all__ = ["app"]

app = typer.Typer()


@app.command()
def stop(
    environment: Annotated[
        str, typer.Option("--env", metavar="ENV", help="twin, demo, testnet or live.")
    ],
    emergency: Annotated[
        bool, typer.Option("--emergency", help="Needed: this acts on the account at once.")
    ] = False,
    keep_positions: Annotated[
        bool,
        typer.Option("--keep-positions", help="Cancel entries only; every position has a stop."),
    ] = False,
    limit_s: Annotated[
        float, typer.Option("--for", metavar="SECONDS", help="How long to go on trying.", min=0)
    ] = 120.0,
    config: ConfigOption = None,
    settings: SetOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Cancel all orders and close all derivative positions of an account; spot coins stay."""
    from openalpha.net import Priority
    from openalpha.venue.bybit.flatten import flatten

    if not emergency:
        raise InputError("this closes positions at the market; say so with --emergency")
    home = home_of(config, settings)
    key = vault_of(home).get(name_of(environment, "trader"))
    screen = Screen(json_to, is_quiet=quiet)
    with connect(home, key, priority=Priority.RISK) as client:
        done = flatten(client, keep_positions=keep_positions, limit_s=limit_s)
    screen.show(
        f"{done.cancelled} orders cancelled, {done.closing_orders} closing orders, "
        f"{done.rounds} rounds"
    )
    for words in done.troubles:
        screen.remark(words)
    screen.result({"schema": "openalpha.stop/1", "environment": environment, "outcome": done})
    if not done.is_done:
        raise VenueUnavailable(
            f"the account is not flat yet: {'; '.join(done.left[:5])}; run the command again, or "
            "close by hand at the exchange"
        )
    screen.show("Nothing open is left." if not keep_positions else "Only protected positions left.")
