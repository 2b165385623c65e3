"""`openalpha replay`: the tape alone must give every decision, order and fill again."""

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

if TYPE_CHECKING:
    from openalpha.trading.replay import Verdict

__all__ = ["app", "show_verdict"]

app = typer.Typer()

CHECK_FAILED = 4


@app.command()
def replay(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Its id, or the beginning of it.")],
    json_to: JsonOption = None,
    settings: SetOption = None,
    config: ConfigOption = None,
    quiet: QuietOption = False,
) -> None:
    """Lead a run's tape through a fresh desk and compare to the byte; exit 4 if it differs."""
    from openalpha.cli.kernel import compile_kernel
    from openalpha.trading.replay import replay as replay_run
    from openalpha.trading.run_folder import open_live_run

    screen = Screen(json_to, is_quiet=quiet)
    loaded = read_settings(config, settings)
    folder = open_live_run(loaded.home, run)
    folder.plan()
    compile_kernel(screen)
    verdict = replay_run(folder, strategies=loaded.home / "strategies")
    show_verdict(screen, verdict, run_id=folder.id)
    screen.result(
        {
            "schema": "openalpha.replay/1",
            "run": folder.id,
            "is_same": verdict.is_same,
            "verdict": verdict,
        }
    )
    if not verdict.is_same:
        raise typer.Exit(CHECK_FAILED)


def show_verdict(screen: Screen, verdict: "Verdict", *, run_id: str) -> None:
    """Say what a replay found."""
    for name, (then, now) in verdict.changed.items():
        screen.show(f"{name} was {then or 'not there'}, is {now or 'not there'}")
    counted = ", ".join(f"{count:,} {name}" for name, count in verdict.same.items())
    if verdict.is_same:
        screen.show(f"Replay of {run_id}: {verdict.inputs:,} inputs; {counted}: all the same.")
        return
    screen.show(f"Replay of {run_id} DIFFERS in {verdict.count:,} places ({counted} the same).")
    for found in verdict.differences:
        screen.show(f"  frame {found.seq}: logged   {found.logged or '(nothing)'}")
        screen.show(f"  {'':>{6 + len(str(found.seq))}}  replayed {found.replayed or '(nothing)'}")
