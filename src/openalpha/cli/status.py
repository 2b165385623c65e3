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
    """Show each run: what it does, its last bar, equity and positions."""
    screen = Screen(json_to, is_quiet=quiet)
    loaded = read_settings(config, settings)

    def show() -> None:
        folders = chosen_runs(
            loaded.home, environment=environment, is_everywhere=everywhere, run=run
        )
        found = [current(folder) for folder in folders]
        _show(screen, found)
        screen.result({"schema": "openalpha.status/1", "runs": found})

    show_again(screen, show, is_watched=watch)


def _show(screen: Screen, found: list[dict[str, Any]]) -> None:
    from rich.table import Table

    from openalpha.core.clock import format_ms

    if not found:
        screen.show("There is no run yet; `openalpha run` begins one.")
        return
    table = Table(title="Runs")
    for name in ("environment", "run", "doing", "last bar", "book", "equity", "", "positions"):
        table.add_column(name, justify="right" if name == "equity" else "left")
    for row in found:
        last_ms = row.get("last_row_ms", -1)
        head = [row["environment"], row["run"], row["mode"]]
        head.append(format_ms(last_ms) if last_ms >= 0 else "")
        for book in row["books"] or [{"name": "", "equity": "", "currency": "", "positions": []}]:
            held = ", ".join(f"{part['qty']} {part['instrument']}" for part in book["positions"])
            table.add_row(*head, book["name"], book["equity"], book["currency"], held or "flat")
            head = ["", "", "", ""]
    screen.show(table)
