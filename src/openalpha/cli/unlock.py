"""`openalpha unlock`: ends the lock that an emergency stop, a breaker or a STOP file left."""

from typing import Annotated

import typer

from openalpha.cli.confirmation import ConfirmOption, require_typed
from openalpha.cli.conventions import ConfigOption, JsonOption, QuietOption, Screen, SetOption
from openalpha.cli.exchange_access import home_of, name_of
from openalpha.core.errors import InputError

__all__ = ["app"]

app = typer.Typer()


@app.command()
def unlock(
    environment: Annotated[
        str, typer.Option("--env", metavar="ENV", help="paper, twin, demo, testnet or live.")
    ],
    reason: Annotated[
        str, typer.Option("--reason", metavar="WORDS", help="Why it is safe to trade again.")
    ],
    reset_high_water: Annotated[
        bool,
        typer.Option("--reset-high-water", help="Measure the drawdown from today's equity on."),
    ] = False,
    confirm: ConfirmOption = "",
    config: ConfigOption = None,
    settings: SetOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Let a locked environment trade again; live has to be armed anew as well."""
    from openalpha.core.clock import SystemClock
    from openalpha.risk.memory import RiskMemory
    from openalpha.store.audit import AuditTrail
    from openalpha.trading.safety.emergency_lock import Lock, locked
    from openalpha.trading.safety.emergency_lock import unlock as end_lock

    if not reason.strip():
        raise InputError("say why it is safe to trade again, by --reason")
    name = environment if environment == "paper" else name_of(environment, "trader")
    home = home_of(config, settings)
    memory = RiskMemory(home, name)
    screen = Screen(json_to, is_quiet=quiet)
    found = locked(home, name)
    if found is None and not memory.is_held():
        screen.show(f"{name} is not locked.")
        screen.result({"schema": "openalpha.unlock/1", "environment": name, "was": None})
        return
    was = str(found) if found is not None else "breakers wait for a person"
    screen.show(f"{name} is locked: {was}")
    phrase = f"unlock {name}" + (" and forget its losses" if reset_high_water else "")
    require_typed(phrase, given=confirm, what=f"{name} may trade again")
    why = Lock(reason, "command line", SystemClock().now_ms())
    if found is not None:
        end_lock(home, name, why=why)
    AuditTrail(home).add("release", environment=name, reason=reason, resets=reset_high_water)
    memory.ask_release(ts_ms=why.ts_ms, who=why.who, words=reason, reset=reset_high_water)
    screen.show(f"{name} may trade again; breakers whose cause still stands step in at once.")
    screen.result({"schema": "openalpha.unlock/1", "environment": name, "was": was})
