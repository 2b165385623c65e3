"""`openalpha replay`: the tape alone must give every decision, order and fill again."""

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
from openalpha.core.errors import InputError

if TYPE_CHECKING:
    from openalpha.trading.analysis.gap import Gap
    from openalpha.trading.analysis.replay import Verdict
    from openalpha.trading.run.folder import RunFolder

__all__ = ["app", "show_verdict"]

app = typer.Typer()

CHECK_FAILED = 4


@app.command()
def replay(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Its id, or the beginning of it.")],
    against_backtest: Annotated[
        bool,
        typer.Option(
            "--against-backtest", help="Split the distance to a backtest of the same bars."
        ),
    ] = False,
    json_to: JsonOption = None,
    settings: SetOption = None,
    config: ConfigOption = None,
    quiet: QuietOption = False,
) -> None:
    """Lead a run's tape through a fresh desk and compare to the byte; exit 4 if it differs."""
    from openalpha.cli.kernel import compile_kernel
    from openalpha.trading.analysis.replay import replay as replay_run
    from openalpha.trading.run.folder import open_live_run

    screen = Screen(json_to, is_quiet=quiet)
    loaded = read_settings(config, settings)
    folder = open_live_run(loaded.home, run)
    folder.plan()
    compile_kernel(screen)
    verdict = replay_run(folder, strategies=loaded.home / "strategies")
    show_verdict(screen, verdict, run_id=folder.id)
    result = {
        "schema": "openalpha.replay/1",
        "run": folder.id,
        "is_same": verdict.is_same,
        "verdict": verdict,
    }
    if against_backtest:
        gap = _gap(folder, loaded.home / "strategies")
        _show_gap(screen, gap)
        result["gap"] = {"parts": gap.parts(), "total": gap.total, "score": gap.score}
    screen.result(result)
    if not verdict.is_same:
        raise typer.Exit(CHECK_FAILED)


def _gap(folder: "RunFolder", strategies: Path) -> "Gap":
    from openalpha.core.messages import Environment
    from openalpha.trading.analysis.gap import gap_of

    if folder.environment is Environment.PAPER:
        raise InputError("a paper run's fills are the backtest's own; there is no distance to it")
    return gap_of(folder, strategies=strategies)


def _show_gap(screen: Screen, gap: "Gap") -> None:
    """Say why a run earned another amount than the backtest of its bars."""
    for name, part in gap.parts().items():
        screen.show(f"  {name:<8} {part:>+16,.4f}")
    screen.show(
        f"  total    {gap.total:>+16,.4f}  earned by the run, less by a backtest of its bars"
    )
    screen.show(
        f"{gap.pairs:,} decisions were filled by both, {gap.alone:,} by one alone; "
        f"score {gap.score:.1f} of 100"
    )


def show_verdict(screen: Screen, verdict: "Verdict", *, run_id: str) -> None:
    """Say what a replay found."""
    for name, (then, now) in verdict.changed.items():
        screen.show(f"{name} was {then or 'not there'}, is {now or 'not there'}")
    counted = ", ".join(f"{count:,} {name}" for name, count in verdict.same.items())
    if verdict.is_same:
        screen.show(f"Replay of {run_id}: all the same.")
        screen.show(f"  {verdict.inputs:,} inputs; {counted}")
        return
    screen.show(f"Replay of {run_id} DIFFERS in {verdict.count:,} places ({counted} the same).")
    for found in verdict.differences:
        screen.show(f"  frame {found.seq}: logged   {found.logged or '(nothing)'}")
        screen.show(f"  {'':>{6 + len(str(found.seq))}}  replayed {found.replayed or '(nothing)'}")
