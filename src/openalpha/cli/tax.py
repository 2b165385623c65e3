"""`openalpha tax`: check worked examples, and let a figure explain itself."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from openalpha.cli import tax_entity, tax_import, tax_plan, tax_report
from openalpha.cli.conventions import JsonOption, QuietOption, Screen, write_text
from openalpha.core.errors import InputError, StorageError

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Australian tax: check examples, explain figures.")

app.registered_commands += tax_import.app.registered_commands
app.registered_commands += tax_report.app.registered_commands
app.registered_commands += tax_plan.app.registered_commands

FileArgument = Annotated[
    Path, typer.Argument(metavar="FILE", help="A JSON list of worked examples (schema in docs).")
]


@app.command()
def check(file: FileArgument, json_to: JsonOption = None, quiet: QuietOption = False) -> None:
    """Run worked tax examples and compare every expected figure; exit 4 if any differs."""
    from openalpha.books.tax.tables import load_tables
    from openalpha.books.tax.worked import check_examples
    from openalpha.cli.border import CHECK_FAILED

    verdicts = check_examples(_examples(file), tables=load_tables())
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


@app.command()
def explain(
    file: FileArgument,
    what: Annotated[
        str, typer.Argument(metavar="LABEL|DISPOSAL", help="18A, 18H, 18V, or a disposal's id.")
    ],
    example: Annotated[
        str | None, typer.Option("--example", help="Id of the example, if FILE has several.")
    ] = None,
    year: Annotated[
        str | None, typer.Option("--year", help="Income year of a label, e.g. 2025-26.")
    ] = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Print the chain from a label or a disposal to its parcels, with rules and sources."""
    from openalpha.books.tax.amounts import exact
    from openalpha.books.tax.dates import parse_year
    from openalpha.books.tax.explain import explain as explained
    from openalpha.books.tax.tables import load_tables
    from openalpha.books.tax.worked import run_example

    chosen = _chosen(_examples(file), example, file)
    with exact():
        outcome = run_example(chosen, tables=load_tables())
    ends = parse_year(year) if year is not None else None
    lines = explained(outcome.assessment, what, year=ends)
    screen = Screen(json_to, is_quiet=quiet)
    for line in lines:
        screen.show(_plain(line))
    screen.result({"schema": "openalpha.tax.explain/1", "of": what, "lines": lines})


def _plain(text: str) -> Any:
    from rich.text import Text

    return Text(text)


def _examples(file: Path) -> list[Any]:
    try:
        text = file.read_text("utf-8")
    except FileNotFoundError as error:
        raise InputError(f"there is no file {file}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{file} is not UTF-8 text") from error
    except OSError as error:
        raise StorageError(f"{file} cannot be read: {error.strerror}") from error
    try:
        found = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise InputError(f"{file} is not JSON: {error}") from error
    if not isinstance(found, list):
        raise InputError(f"{file} must hold a JSON list of examples, not {type(found).__name__}")
    return found


def _chosen(examples: list[Any], name: str | None, file: Path) -> Mapping[str, Any]:
    rows = [row for row in examples if isinstance(row, Mapping)]
    if name is None and len(rows) == 1:
        return rows[0]
    for row in rows:
        if row.get("id") == name:
            return row
    if name is None:
        raise InputError(f"{file} holds {len(rows)} examples: name one with --example ID")
    raise InputError(f"{file} holds no example {name!r}")
