"""`openalpha tax`: the group of all its commands, and the check of worked examples."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from openalpha.cli import (
    tax_archive,
    tax_entity,
    tax_explain,
    tax_import,
    tax_plan,
    tax_report,
    tax_select,
    tax_snapshot,
)
from openalpha.cli.conventions import JsonOption, QuietOption, Screen, write_text
from openalpha.cli.tax_examples import read_examples
from openalpha.core.errors import InputError

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Australian tax: imports, reports, plans, archive.")

app.registered_commands += tax_import.app.registered_commands
app.registered_commands += tax_report.app.registered_commands
app.registered_commands += tax_plan.app.registered_commands
app.registered_commands += tax_select.app.registered_commands
app.registered_commands += tax_snapshot.app.registered_commands
app.registered_commands += tax_explain.app.registered_commands
app.add_typer(tax_entity.app, name="entity")
app.add_typer(tax_archive.app, name="archive")

FileArgument = Annotated[
    Path, typer.Argument(metavar="FILE", help="A JSON list of worked examples (schema in docs).")
]


@app.command()
def check(file: FileArgument, json_to: JsonOption = None, quiet: QuietOption = False) -> None:
    """Run worked tax examples and compare every expected figure; exit 4 if any differs."""
    from openalpha.books.tax.tables import load_tables
    from openalpha.books.tax.worked import check_examples
    from openalpha.cli.border import CHECK_FAILED

    verdicts = check_examples(read_examples(file), tables=load_tables())
    screen = Screen(json_to, is_quiet=quiet)
    for verdict in verdicts:
        screen.show(_plain(f"{'passed' if verdict.has_passed else 'FAILED'}  {verdict.id}"))
        for mismatch in verdict.mismatches:
            screen.show(_plain(f"        {mismatch}"))
    passed = sum(verdict.has_passed for verdict in verdicts)
    failed = len(verdicts) - passed
    screen.show(f"{passed} passed, {failed} failed")
    screen.result(
        {
            "schema": "openalpha.tax.check/1",
            "passed": passed,
            "failed": failed,
            "examples": [
                {"id": v.id, "has_passed": v.has_passed, "mismatches": list(v.mismatches)}
                for v in verdicts
            ],
        }
    )
    if failed or not verdicts:
        raise typer.Exit(CHECK_FAILED)


@app.command()
def examples(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write them.")] = Path(
        "tax-examples.json"
    ),
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    quiet: QuietOption = False,
) -> None:
    """Write worked examples of every rule to a file, to be checked, read and edited."""
    from importlib.resources import files

    if file.exists() and not force:
        raise InputError(f"{file} is there already; --force replaces it, another name keeps it")
    text = (files("openalpha.books.tax.worked") / "examples.json").read_text("utf-8")
    write_text(file, text)
    screen = Screen(is_quiet=quiet)
    screen.show(f"{len(json.loads(text))} examples written to {file}; openalpha tax check {file}")


def _plain(text: str) -> Any:
    from rich.text import Text

    return Text(text)
