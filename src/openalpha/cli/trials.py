"""`openalpha trials`: show and verify the ledger of everything that was ever tried."""

from typing import Annotated

import typer

from openalpha.cli.border import CHECK_FAILED
from openalpha.cli.conventions import (
    ConfigOption,
    JsonOption,
    QuietOption,
    Screen,
    read_settings,
)

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Show and verify the ledger of everything tried.")

InstrumentsOption = Annotated[
    list[str], typer.Option("--instrument", metavar="ID", help="An instrument; repeatable.")
]


@app.command("list")
def list_trials(
    last: Annotated[int, typer.Option("--last", min=1, help="How many, newest first.")] = 20,
    json_to: JsonOption = None,
    config: ConfigOption = None,
    quiet: QuietOption = False,
) -> None:
    """Show the last trials, newest first."""
    from rich.markup import escape
    from rich.table import Table

    from openalpha.core.clock import format_ms
    from openalpha.research.report.listing import number_text
    from openalpha.research.trials import TrialLedger

    screen = Screen(json_to, is_quiet=quiet)
    ledger = TrialLedger(read_settings(config, None).home)
    rows = ledger.newest(last)
    table = Table(title=f"{len(ledger):,} rows in the ledger", title_justify="left")
    for head in ("row", "when", "strategy", "instruments", "parameters", "sharpe", "return"):
        table.add_column(head)
    found = []
    for row in rows:
        text = row.text
        metrics = text["metrics"]
        varied = ", ".join(f"{key}={value}" for key, value in text["params"].items() if value)
        table.add_row(
            str(row.seq), format_ms(int(row.columns["ts_ms"])), escape(text["strategy"]),
            ", ".join(text["instruments"]), escape(varied),
            number_text(metrics.get("sharpe", float("nan"))),
            number_text(metrics.get("total_return", float("nan"))),
        )  # fmt: skip
        found.append({"row": row.seq, "ts_ms": int(row.columns["ts_ms"]), "hash": row.hash, **text})
    screen.show(table)
    screen.result({"rows": len(ledger), "trials": found})


@app.command("family")
def family(
    strategy: Annotated[str, typer.Argument(help="A strategy's name.")],
    instrument: InstrumentsOption,
    since: Annotated[str, typer.Option("--from", metavar="DATE", help="UTC.")] = "1970-01-01",
    until: Annotated[str, typer.Option("--to", metavar="DATE", help="UTC.")] = "2100-01-01",
    json_to: JsonOption = None,
    config: ConfigOption = None,
    quiet: QuietOption = False,
) -> None:
    """Count the configurations a strategy's family has tried on some instruments."""
    from openalpha.core.clock import parse_ms
    from openalpha.research.trials import TrialLedger

    screen = Screen(json_to, is_quiet=quiet)
    ledger = TrialLedger(read_settings(config, None).home)
    found = ledger.family(strategy, instrument, start_ms=parse_ms(since), end_ms=parse_ms(until))
    screen.show(
        f"{found.configurations:,} configurations in {len(found.rows):,} trials; "
        f"names: {', '.join(found.names)}"
    )
    if found.detected:
        screen.show(f"found by their returns, not declared: {', '.join(found.detected)}")
    screen.result(
        {
            "configurations": found.configurations,
            "trials": len(found.rows),
            "names": found.names,
            "detected": found.detected,
        }
    )


@app.command()
def verify(
    json_to: JsonOption = None, config: ConfigOption = None, quiet: QuietOption = False
) -> int:
    """Read the whole ledger and say whether every row fits the one before it."""
    from openalpha.research.trials import TrialLedger

    screen = Screen(json_to, is_quiet=quiet)
    ledger = TrialLedger(read_settings(config, None).home)
    with screen.progress("reading the ledger"):
        fault = ledger.verify()
    words = (
        f"All {len(ledger):,} rows fit."
        if fault is None
        else f"Row {fault.seq} does not fit: {fault.reason}."
    )
    screen.show(words)
    screen.result({"rows": len(ledger), "fault": fault})
    return 0 if fault is None else CHECK_FAILED
