"""`openalpha status`: what every run does now."""

from typing import Any

import typer

from openalpha.cli.conventions import (
    ConfigOption,
    JsonOption,
    QuietOption,
    Screen,
    SetOption,
    read_settings,
)
from openalpha.cli.live_options import (
    AllOption,
    EnvironmentOption,
    RunOption,
    WatchOption,
    chosen_runs,
    current,
    show_again,
)

__all__ = ["app"]

app = typer.Typer()


@app.command()
def status(
    environment: EnvironmentOption = "",
    everywhere: AllOption = False,
    run: RunOption = "",
    watch: WatchOption = False,
    json_to: JsonOption = None,
    settings: SetOption = None,
    config: ConfigOption = None,
    quiet: QuietOption = False,
) -> None:
    """Show each run: what holds it back, equity, feed, venue, decision, positions and stops."""
    from openalpha.trading.run.folder import run_folders

    screen = Screen(json_to, is_quiet=quiet)
    loaded = read_settings(config, settings)

    def show() -> None:
        folders = chosen_runs(
            loaded.home,
            environment=environment,
            is_everywhere=everywhere,
            run=run,
            with_starting=True,
        )
        found = [current(folder) for folder in folders]
        known = {folder.id for folder in (*run_folders(loaded.home), *folders)}
        _show(screen, found, sorted(known))
        screen.result({"schema": "openalpha.status/1", "runs": found})

    show_again(screen, show, is_watched=watch)


def _show(screen: Screen, found: list[dict[str, Any]], known: list[str]) -> None:
    from rich.markup import escape

    from openalpha.cli.status_page import page_of, short_ids

    if not found:
        screen.show("There is no run yet; `openalpha run` begins one.")
        return
    names = short_ids(known)
    for row in found:
        screen.show(escape("\n".join(page_of(row, name=names.get(row["run"], row["run"])))))
