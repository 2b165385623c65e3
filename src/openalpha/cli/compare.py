"""`openalpha compare`: several backtests side by side, from their folders."""

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
    write_text,
)
from openalpha.core.errors import InputError
from openalpha.core.messages import Environment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from openalpha.research.compared import Compared

__all__ = ["app"]

app = typer.Typer()

RunsArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="RUN RUN...", help="Ids, their beginnings, latest, latest-1.", show_default=False
    ),
]
HtmlOption = Annotated[
    Path | None, typer.Option("--html", metavar="FILE", help="Write the page as one HTML file.")
]


@app.command()
def compare(
    runs: RunsArgument,
    html: HtmlOption = None,
    json_to: JsonOption = None,
    settings: SetOption = None,
    config: ConfigOption = None,
    quiet: QuietOption = False,
) -> None:
    """Show several backtests side by side: figures, verdicts, and what sets them apart."""
    from openalpha.research.compared import cautions, compared_run, labels, unlike
    from openalpha.research.report import compare_html, print_comparison
    from openalpha.store.runs import RunStore

    screen = Screen(json_to, is_quiet=quiet)
    loaded = read_settings(config, settings)
    store = RunStore(loaded.home)
    stored = [store.open_run(run) for run in runs]
    if len({item.id for item in stored}) < 2:
        raise InputError("a comparison needs two different runs; `openalpha runs` lists them")
    for item in stored:
        if item.environment is not Environment.BACKTEST:
            raise InputError(f"run {item.id} was led live; backtests can be compared")
    found = [compared_run(item) for item in stored]
    said = list(cautions(found))
    if not screen.is_quiet and screen.json_to != "-":
        print_comparison(found)
        for words in said:
            screen.show(f"! {words}")
        _show_apart(screen, found)
    if html is not None:
        page = compare_html(found, title="Runs side by side", settings=loaded.settings.report)
        write_text(html, page)
        screen.remark(f"Page written to {html}")
    names = labels(found)
    screen.result(
        {
            "schema": "openalpha.compare/1",
            "cautions": said,
            "unlike": unlike(found),
            "runs": [
                {
                    "run": run.run,
                    "name": name,
                    "strategy": run.strategy,
                    "instruments": run.instruments,
                    "metrics": run.metrics,
                    "verdict": run.verdict.label,
                    "checks": run.verdict.codes(),
                }
                for run, name in zip(found, names, strict=True)
            ],
        }
    )


def _show_apart(screen: Screen, found: "Sequence[Compared]") -> None:
    from rich.markup import escape

    from openalpha.research.compared import unlike

    for what, texts in unlike(found).items():
        screen.show(escape(f"  {what}: {' | '.join(texts)}"))
