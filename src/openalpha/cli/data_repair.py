"""`openalpha data repair`: fetch again what a check finds missing or wrong."""

import threading
from typing import TYPE_CHECKING, Annotated

import typer

from openalpha.cli.conventions import (
    ConfigOption,
    JsonOption,
    QuietOption,
    Screen,
    SetOption,
    read_settings,
)

if TYPE_CHECKING:
    from openalpha.market.repair import RepairReport
    from openalpha.settings import LoadedSettings

__all__ = ["app"]

app = typer.Typer()


@app.command("repair")
def repair(
    instrument: Annotated[
        list[str] | None,
        typer.Option("--instrument", metavar="MARKET:SYMBOL", help="Only this one; repeatable."),
    ] = None,
    base_url: Annotated[
        str, typer.Option(metavar="URL", help="Ask this server instead of the venues.")
    ] = "",
    config: ConfigOption = None,
    settings: SetOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Fetch again what `check` finds missing or wrong; exit 4 when a range stays unusable."""
    from openalpha.cli.border import CHECK_FAILED

    screen = Screen(json_to, is_quiet=quiet)
    loaded = read_settings(config, settings)
    report = _repaired(screen, loaded, tuple(instrument or ()), base_url)
    _show(screen, report)
    if not report.after.is_fine:
        raise typer.Exit(CHECK_FAILED)


def _repaired(
    screen: Screen, loaded: "LoadedSettings", instruments: tuple[str, ...], base_url: str
) -> "RepairReport":
    from openalpha.cli.data import refuse_unknown
    from openalpha.core.clock import SystemClock
    from openalpha.market.download.venues import Wiring
    from openalpha.market.lake import Lake
    from openalpha.market.repair import repair as repair_lake
    from openalpha.net import HttpTransport
    from openalpha.settings import prepare_home

    prepare_home(loaded.home)
    options, clock, stop = loaded.settings.download, SystemClock(), threading.Event()
    lake = Lake(loaded.home, settings=loaded.settings.data)
    refuse_unknown(lake, instruments)
    with HttpTransport(timeout_s=options.timeout_s) as transport:
        wiring = Wiring(transport, home=loaded.home, settings=options, clock=clock)
        with screen.progress("repairing", unit="series") as advance:
            return repair_lake(
                lake,
                clock=clock,
                make_collector=lambda market: wiring.collector(market, stop, base_url=base_url),
                instruments=instruments,
                advance=advance,
            )


def _show(screen: Screen, report: "RepairReport") -> None:
    from rich.table import Table

    from openalpha.core.clock import format_ms
    from openalpha.market.check import as_json

    if report.series:
        table = Table("series", "fetched", "replaced", "left", box=None, pad_edge=False)
        for column in table.columns[1:]:
            column.justify = "right"
        for item in report.series:
            table.add_row(
                item.series, f"{item.added:,}", f"{item.replaced:,}", f"{len(item.left):,}"
            )
        screen.show(table)
    else:
        screen.show("Nothing was repaired: no fault that a venue could mend was found.")
    for item in report.series:
        for begin, end in item.left[:5]:
            screen.remark(
                f"{item.series}: the venue has nothing for {format_ms(begin)} to {format_ms(end)}"
            )
    for note in report.notes:
        screen.remark(note)
    if not report.after.is_fine:
        count = len(report.after.unusable)
        screen.show(f"{count} ranges stay unusable; `openalpha data check` names them.")
    screen.result(
        {
            "schema": "openalpha.data_repair/1",
            "series": report.series,
            "notes": report.notes,
            "after": as_json(report.after),
        }
    )
