"""`openalpha orders`: show every order that is open or on its way."""

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
from openalpha.cli.live_tables import book_rows, show_rows

__all__ = ["app"]

app = typer.Typer()


@app.command()
def orders(
    environment: EnvironmentOption = "",
    everywhere: AllOption = False,
    run: RunOption = "",
    watch: WatchOption = False,
    json_to: JsonOption = None,
    settings: SetOption = None,
    config: ConfigOption = None,
    quiet: QuietOption = False,
) -> None:
    """Show every order that is open or on its way."""
    screen = Screen(json_to, is_quiet=quiet)
    loaded = read_settings(config, settings)

    def show() -> None:
        folders = chosen_runs(
            loaded.home, environment=environment, is_everywhere=everywhere, run=run
        )
        rows = [row for folder in folders for row in book_rows(current(folder), "orders")]
        show_rows(screen, rows, what="open orders")
        screen.result({"schema": "openalpha.orders/1", "orders": rows})

    show_again(screen, show, is_watched=watch)
