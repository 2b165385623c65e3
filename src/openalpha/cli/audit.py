"""`openalpha audit`: who did what to trading, when and why; proven, shown, exported."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from openalpha.cli.border import CHECK_FAILED
from openalpha.cli.conventions import (
    ConfigOption,
    JsonOption,
    QuietOption,
    Screen,
    SetOption,
    read_settings,
    write_text,
)
from openalpha.core.errors import InputError

if TYPE_CHECKING:
    from openalpha.store.audit import Act

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Who did what to trading, when and why.")

_COLUMNS = ("seq", "time", "who", "act", "environment", "details")


@app.command("list")
def list_acts(
    last: Annotated[int, typer.Option("--last", min=1, help="How many, oldest first.")] = 20,
    environment: Annotated[
        str, typer.Option("--env", metavar="ENV", help="Only of this environment.")
    ] = "",
    act: Annotated[
        str, typer.Option("--act", metavar="NAME", help="Only these: arm, key, run.stop, …")
    ] = "",
    config: ConfigOption = None,
    settings: SetOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Show the last acts: commands to runs, orders by hand, stops, arming, each use of a key."""
    from rich.markup import escape
    from rich.table import Table

    from openalpha.core.clock import format_ms
    from openalpha.store.audit import AuditTrail

    screen = Screen(json_to, is_quiet=quiet)
    every = AuditTrail(read_settings(config, settings).home).acts()
    found = [
        one
        for one in every
        if environment in ("", one.environment) and act in ("", one.name, one.name.split(".")[0])
    ]
    table = Table(title=f"{len(found):,} acts", title_justify="left", box=None, pad_edge=False)
    for head in ("act", "when", "who", "where", "about"):
        table.add_column(head)
    for one in found[-last:]:
        table.add_row(
            one.name,
            format_ms(one.ts_ms)[:19].replace("T", " "),
            one.who,
            one.environment,
            escape(_in_words(one)),
        )
    screen.show(table if found else "Nothing is on the trail.")
    screen.result({"schema": "openalpha.audit/1", "acts": [_row(one) for one in found[-last:]]})


@app.command()
def verify(
    head: Annotated[
        str, typer.Option("--head", metavar="HASH", help="The head an earlier check printed.")
    ] = "",
    config: ConfigOption = None,
    settings: SetOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Prove that no line was changed, taken out or put in; exit code 4 if one was."""
    from openalpha.store.audit import AuditTrail

    screen = Screen(json_to, is_quiet=quiet)
    found = AuditTrail(read_settings(config, settings).home).check(head=head)
    for words in (*found.faults, *found.remarks):
        screen.show(words)
    state = "NOT as it was written" if found.faults else "each follows from the one before"
    screen.show(f"{found.acts:,} acts, {state}.")
    screen.show(f"Head: {found.head or 'none'}")
    screen.result(
        {
            "schema": "openalpha.audit-check/1",
            "acts": found.acts,
            "head": found.head,
            "faults": found.faults,
            "remarks": found.remarks,
        }
    )
    if found.faults:
        raise typer.Exit(CHECK_FAILED)


@app.command()
def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A .csv or .jsonl file to write.")],
    config: ConfigOption = None,
    settings: SetOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Write the whole trail to a file; as .jsonl with its hashes, just as it lies here."""
    import csv
    import io

    from openalpha.store.audit import AuditTrail

    trail = AuditTrail(read_settings(config, settings).home)
    acts = list(trail.acts())
    if file.suffix == ".jsonl":
        text = trail.path.read_text("utf-8") if acts else ""
    elif file.suffix == ".csv":
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for one in acts:
            row = _row(one)
            details = json.dumps(row["details"], ensure_ascii=False)
            writer.writerow([*(row[name] for name in _COLUMNS[:-1]), details])
        text = out.getvalue()
    else:
        raise InputError(f"{file} ends in '{file.suffix}'; write a .csv or a .jsonl file")
    write_text(file, text)
    screen = Screen(json_to, is_quiet=quiet)
    screen.show(f"Wrote {len(acts):,} acts to {file}.")
    screen.result({"schema": "openalpha.audit-export/1", "acts": len(acts), "file": str(file)})


def _row(one: "Act") -> dict[str, Any]:
    from openalpha.core.clock import format_ms

    return {
        "seq": one.seq,
        "time": format_ms(one.ts_ms),
        "who": one.who,
        "act": one.name,
        "environment": one.environment,
        "details": dict(one.details),
    }


def _in_words(one: "Act") -> str:
    return ", ".join(
        f"{name} {value if isinstance(value, str) else json.dumps(value)}"
        for name, value in one.details.items()
        if value not in ("", None, [], {})
    )
