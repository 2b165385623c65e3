"""`openalpha why`: the decisions of a run, in words, from its log."""

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
from openalpha.cli.live_tables import narrowed, show_rows
from openalpha.core.errors import InputError

__all__ = ["app"]

app = typer.Typer()


@app.command()
def why(  # noqa: PLR0913, PLR0917 - the options of a command
    run: Annotated[
        str,
        typer.Argument(metavar="RUN", help="Its id or its beginning; latest: of the backtests."),
    ],
    at: Annotated[
        str, typer.Option("--at", metavar="TIME", help="Only decisions of this moment, UTC.")
    ] = "",
    first_missed: Annotated[
        bool, typer.Option("--first-missed", help="The first trade it wanted and did not get.")
    ] = False,
    against: Annotated[
        str, typer.Option("--against", metavar="RUN2", help="Where two backtests first part.")
    ] = "",
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, help="The last so many that mattered.")
    ] = 20,
    json_to: JsonOption = None,
    settings: SetOption = None,
    config: ConfigOption = None,
    quiet: QuietOption = False,
) -> None:
    """Say why a run did or did not trade: its decisions with their reasons, and their counts."""
    from openalpha.cli.why_backtest import show_backtest
    from openalpha.core.clock import parse_ms
    from openalpha.core.messages import Environment
    from openalpha.store.runs import RunStore
    from openalpha.trading.analysis.journal import journal_of
    from openalpha.trading.run.folder import RunFolder

    screen = Screen(json_to, is_quiet=quiet)
    store = RunStore(read_settings(config, settings).home)
    stored = store.open_run(run)
    at_ms = parse_ms(at) if at else None
    if sum((bool(at), first_missed, bool(against))) > 1:
        raise InputError("--at, --first-missed and --against each ask something else; give one")
    if stored.environment is Environment.BACKTEST:
        other = store.open_run(against) if against else None
        show_backtest(screen, stored, at_ms=at_ms, other=other, is_first=first_missed, limit=limit)
        return
    if first_missed or against:
        raise InputError(f"run {stored.id} was led live; ask with --at TIME")
    folder = RunFolder(stored.path, stored.environment)
    told = journal_of(folder, at_ms=at_ms, limit=limit)
    show_rows(screen, narrowed(told.rows), what="decisions")
    if not at:
        for words, count in told.counts.most_common():
            screen.show(f"{count:>8,} × {words}")
    screen.result(
        {
            "schema": "openalpha.why/1",
            "run": folder.id,
            "decisions": told.rows,
            "counts": dict(told.counts.most_common()),
        }
    )
