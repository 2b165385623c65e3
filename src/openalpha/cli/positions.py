"""`openalpha positions`: show what every run holds, with entry and mark price."""

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
from openalpha.cli.live_tables import book_rows, narrowed, show_rows

__all__ = ["app"]

app = typer.Typer()


@app.command()
def positions(
    environment: EnvironmentOption = "",
    everywhere: AllOption = False,
    run: RunOption = "",
    watch: WatchOption = False,
    json_to: JsonOption = None,
    settings: SetOption = None,
    config: ConfigOption = None,
    quiet: QuietOption = False,
) -> None:
    """Show what every run holds, with entry and mark price."""
    screen = Screen(json_to, is_quiet=quiet)
    loaded = read_settings(config, settings)

    def show() -> None:
        folders = chosen_runs(
            loaded.home, environment=environment, is_everywhere=everywhere, run=run
        )
        rows = [row for folder in folders for row in book_rows(current(folder), "positions")]
        show_rows(screen, narrowed(rows), what="open positions")
        screen.result({"schema": "openalpha.positions/1", "positions": rows})

    show_again(screen, show, is_watched=watch)
