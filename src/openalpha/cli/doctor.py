"""`openalpha doctor`: says whether this machine is ready and, if not, what to do."""

import os

import typer

from openalpha.cli.conventions import ConfigOption, JsonOption, QuietOption, Screen, SetOption

__all__ = ["app"]

app = typer.Typer()


@app.command()
def doctor(
    config: ConfigOption = None,
    settings: SetOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Check versions, processor, clock, disk, home and kernel cache; exit 4 when one fails."""
    from rich.table import Table

    from openalpha.cli.border import CHECK_FAILED
    from openalpha.cli.checks import examine

    findings = examine(config, settings or (), environ=os.environ)
    table = Table("", "check", "found", "what to do", box=None, pad_edge=False)
    for finding in findings:
        mark = "[green]ok[/]" if finding.is_fine else "[red]FAILED[/]"
        table.add_row(mark, finding.name, finding.found, finding.advice)
    failed = [finding for finding in findings if not finding.is_fine]
    screen = Screen(json_to, is_quiet=quiet)
    screen.show(table)
    screen.result(
        {"schema": "openalpha.doctor/1", "is_fine": not failed, "checks": findings},
    )
    if failed:
        raise typer.Exit(CHECK_FAILED)
