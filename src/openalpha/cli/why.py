"""`openalpha why`: the decisions of a run, in words, from its log."""

import json
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from openalpha.cli.conventions import (
    ConfigOption,
    JsonOption,
    QuietOption,
    Screen,
    SetOption,
    read_settings,
)
from openalpha.cli.live_tables import show_rows
from openalpha.core.errors import InputError

if TYPE_CHECKING:
    from openalpha.trading.run.folder import RunFolder

__all__ = ["app"]

app = typer.Typer()


@app.command()
def why(  # noqa: PLR0913, PLR0917 - the options of a command
    run: Annotated[
        str,
        typer.Argument(metavar="RUN", help="Its id, the beginning of it, latest or latest-1."),
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
    counts, rows = _decisions(folder, at_ms=at_ms, limit=limit)
    show_rows(screen, rows, what="decisions")
    if not at:
        for words, count in counts.most_common():
            screen.show(f"{count:>8,} × {words}")
    screen.result(
        {
            "schema": "openalpha.why/1",
            "run": folder.id,
            "decisions": rows,
            "counts": dict(counts.most_common()),
        }
    )


def _decisions(
    folder: "RunFolder", *, at_ms: int | None, limit: int
) -> tuple[Counter[str], list[dict[str, Any]]]:
    from collections import deque

    from openalpha.core.reasons import Reason, explain
    from openalpha.store.run_log import FrameKind, read

    plan = folder.plan()
    quiet = (Reason.NO_SIGNAL, Reason.UNCHANGED, Reason.WARM_UP)
    counts: Counter[str] = Counter()
    rows: deque[dict[str, Any]] = deque(maxlen=limit)
    for frame in read(folder.log, {FrameKind.DECISION, FrameKind.NOTE}):
        if frame.kind is FrameKind.NOTE and b'"moved"' not in frame.payload:
            continue
        content = json.loads(frame.payload)
        if "moved" in content and at_ms in (None, content["ts"]):
            rows.append(_moved(content, [part.name for part in plan.strategies]))
        if "codes" not in content:
            continue
        part = plan.strategies[content["book"]]
        for place, code in enumerate(content["codes"]):
            reason = Reason(code)
            counts[explain(reason)] += 1
            wanted = content["ts"] == at_ms if at_ms is not None else reason not in quiet
            if wanted:
                instrument = plan.instruments[part.numbers[place]]
                rows.append(_row(content, part.name, str(instrument.id), place, reason))
    return counts, list(rows)


def _moved(content: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """Return the row of money that went from one strategy's sub-book to another's."""
    from openalpha.core.clock import format_ms

    giver, taker = names[content["giver"]], names[content["taker"]]
    return {
        "time": format_ms(content["ts"]),
        "book": giver,
        "instrument": "",
        "wanted": None,
        "reason": "allocation",
        "in_words": f"{content['moved']} of its money went to {taker}: the shares were due",
        "input": content["of"],
    }


def _row(
    content: dict[str, Any], book: str, instrument: str, place: int, reason: Any
) -> dict[str, Any]:
    from openalpha.core.clock import format_ms
    from openalpha.core.reasons import explain

    targets = content.get("targets")
    silent = -(2**31)
    target = None if not targets or targets[place] == silent else targets[place] / 1_000_000
    return {
        "time": format_ms(content["ts"]),
        "book": book,
        "instrument": instrument,
        "wanted": target,
        "reason": reason.name.lower(),
        "in_words": explain(reason),
        "input": content["of"],
    }
