"""`openalpha fills`: the last executions of every run."""

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
from openalpha.cli.live_options import (
    AllOption,
    EnvironmentOption,
    RunOption,
    WatchOption,
    chosen_runs,
    show_again,
)
from openalpha.cli.live_tables import fill_rows, narrowed, show_rows

__all__ = ["app"]

app = typer.Typer()


@app.command()
def fills(  # noqa: PLR0913, PLR0917 - the options of a command
    environment: EnvironmentOption = "",
    everywhere: AllOption = False,
    run: RunOption = "",
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, help="The last so many of each run.")
    ] = 20,
    watch: WatchOption = False,
    json_to: JsonOption = None,
    settings: SetOption = None,
    config: ConfigOption = None,
    quiet: QuietOption = False,
) -> None:
    """Show the last executions of every run, oldest first, as its log has them."""
    screen = Screen(json_to, is_quiet=quiet)
    loaded = read_settings(config, settings)

    def show() -> None:
        folders = chosen_runs(
            loaded.home, environment=environment, is_everywhere=everywhere, run=run
        )
        rows = [row for folder in folders for row in fill_rows(folder, limit=limit)]
        show_rows(screen, narrowed(rows), what="fills")
        screen.result({"schema": "openalpha.fills/1", "fills": rows})

    show_again(screen, show, is_watched=watch)
