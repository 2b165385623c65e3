"""`openalpha stop --emergency`: cancels everything, closes every position, locks, at once."""

from typing import TYPE_CHECKING, Annotated

import typer

from openalpha.cli.alert_port import tell_once
from openalpha.cli.confirmation import ConfirmOption, require_typed
from openalpha.cli.conventions import ConfigOption, JsonOption, QuietOption, Screen, SetOption
from openalpha.cli.exchange_access import connect, home_of, name_of, vault_of
from openalpha.core.errors import InputError, VenueUnavailable

if TYPE_CHECKING:
    from openalpha.trading.safety.emergency import Stop, StopOrder

__all__ = ["app"]

app = typer.Typer()


@app.command()
def stop(  # noqa: PLR0913, PLR0917 - the options of a command
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
    include_holdings: Annotated[
        bool,
        typer.Option(
            "--include-holdings",
            help="Sell every coin on spot too, also those held before; asks for it in words.",
        ),
    ] = False,
    reason: Annotated[
        str, typer.Option("--reason", metavar="WORDS", help="Why; kept with the lock.")
    ] = "ordered on the command line",
    limit_s: Annotated[
        float, typer.Option("--for", metavar="SECONDS", help="How long to go on trying.", min=0)
    ] = 120.0,
    confirm: ConfirmOption = "",
    config: ConfigOption = None,
    settings: SetOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Cancel all orders, close all positions, sell what was bought, and lock the environment."""
    from openalpha.core.clock import SystemClock
    from openalpha.net import Priority
    from openalpha.trading.safety.emergency import StopOrder, emergency_stop

    if not emergency:
        raise InputError("this closes positions at the market; say so with --emergency")
    name = name_of(environment, "trader")
    if include_holdings:
        _check_sale(name, confirm, keep_positions=keep_positions)
    home = home_of(config, settings)
    key = vault_of(home).get(name)
    screen = Screen(json_to, is_quiet=quiet)
    order = StopOrder(
        home,
        name,
        who="command line",
        words=reason,
        keep_positions=keep_positions,
        include_holdings=include_holdings,
        limit_s=limit_s,
    )
    with connect(home, key, priority=Priority.RISK) as client:
        done = emergency_stop(order, client, clock=SystemClock())
    _tell(screen, order, done)
    if not done.is_done:
        raise VenueUnavailable(
            f"the account is not flat yet: {'; '.join(done.left[:5])}; run the command again, or "
            "close by hand at the exchange"
        )
    screen.show("Nothing open is left." if not keep_positions else "Only protected positions left.")


def _check_sale(environment: str, confirm: str, *, keep_positions: bool) -> None:
    if keep_positions:
        raise InputError("--include-holdings sells and --keep-positions keeps; choose one")
    phrase = f"sell holdings of {environment}"
    require_typed(phrase, given=confirm, what=f"every coin of {environment} will be sold")


def _outcome(done: "Stop") -> str:
    return "nothing open is left" if done.is_done else f"NOT FLAT: {'; '.join(done.left[:5])}"


def _tell(screen: Screen, order: "StopOrder", done: "Stop") -> None:
    environment = order.environment
    screen.show(
        f"{done.cancelled} orders cancelled, {done.closing_orders} closing orders, "
        f"{done.rounds} rounds"
    )
    for words in done.troubles:
        screen.remark(words)
    if done.is_locked:
        screen.show(f"{environment} is locked; `openalpha unlock --env {environment}` ends that.")
    screen.result({"schema": "openalpha.stop/1", "environment": environment, "outcome": done})
    words = f"{environment} was stopped ({order.words}): {_outcome(done)}"
    tell_once(order.home, environment, words)
