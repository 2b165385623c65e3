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
from openalpha.cli.live_tables import book_rows, narrowed, show_rows

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
        found = [current(folder) for folder in folders]
        rows = [row for status in found for row in book_rows(status, "orders")]
        worked = [one for status in found for one in status.get("worked", ())]
        show_rows(screen, narrowed(rows), what="open orders")
        for one in worked:
            side = "buy" if one["side"] > 0 else "sell"
            screen.show(
                f"{one['id']}: {one['how']} {side} {one['qty']} {one['instrument']}, "
                f"{one['filled']} filled"
            )
        screen.result({"schema": "openalpha.orders/1", "orders": rows, "worked": worked})

    show_again(screen, show, is_watched=watch)
