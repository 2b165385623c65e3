"""`openalpha wipe`: puts an environment back to its beginning, after closing everything."""

from typing import Annotated

import typer

from openalpha.cli.confirmation import ConfirmOption, require_typed
from openalpha.cli.conventions import (
    ConfigOption,
    JsonOption,
    QuietOption,
    Screen,
    SetOption,
    read_settings,
)

__all__ = ["app"]

app = typer.Typer()


@app.command()
def wipe(
    environment: Annotated[
        str, typer.Option("--env", metavar="ENV", help="paper, twin, demo, testnet or live.")
    ],
    erase: Annotated[
        bool, typer.Option("--erase", help="Delete its runs; never those of live.")
    ] = False,
    confirm: ConfirmOption = "",
    config: ConfigOption = None,
    settings: SetOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Close all an environment's runs hold, end them, and put their folders away."""
    import time

    from openalpha.books.accounts import environment_of
    from openalpha.core.clock import SystemClock
    from openalpha.trading.safety.wiping import wipe as wipe_runs

    screen = Screen(json_to, is_quiet=quiet)
    loaded = read_settings(config, settings)
    kind = environment_of(environment)
    name = kind.name.lower()
    fate = "are erased" if erase else "are put into the archive"
    what = f"every run of {name} is closed and ended, and their logs {fate}; the books stay"
    require_typed(f"wipe {name}", given=confirm, what=what)
    done = wipe_runs(loaded.home, kind, erase=erase, clock=SystemClock(), sleep=time.sleep)
    for run in done.stopped:
        screen.show(f"run {run} was closed and ended")
    where = f"put into {done.archive}" if done.archive else "erased"
    screen.show(f"{done.runs} runs of {name} were {where}" if done.runs else "There was nothing.")
    screen.result({"schema": "openalpha.wipe/1", "environment": name, "outcome": done})
