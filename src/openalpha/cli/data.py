"""`openalpha data`: import, check, list, resample and export market history."""

import importlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from openalpha.cli.conventions import (
    ConfigOption,
    JsonOption,
    QuietOption,
    Screen,
    SetOption,
    read_settings,
)
from openalpha.core.errors import InputError

if TYPE_CHECKING:
    from openalpha.market.lake import Lake
    from openalpha.market.series import SeriesKey

__all__ = ["app", "open_lake", "refuse_unknown"]

app = typer.Typer(
    no_args_is_help=True, help="Import, download, check, list and make market history."
)

InstrumentOption = Annotated[
    list[str] | None,
    typer.Option("--instrument", metavar="MARKET:SYMBOL", help="Only this one; repeatable."),
]
FromOption = Annotated[
    str | None, typer.Option("--from", metavar="TIME", help="First moment: 2024-01-31 (UTC).")
]
ToOption = Annotated[
    str | None, typer.Option("--to", metavar="TIME", help="End, not included: 2024-02-29 (UTC).")
]


def open_lake(config: Path | None, settings: list[str] | None, *, writes: bool = False) -> "Lake":
    """Return the lake of the home in force; one that is to be written gets its home made."""
    from openalpha.market.lake import Lake
    from openalpha.settings import prepare_home

    loaded = read_settings(config, settings)
    if writes:
        prepare_home(loaded.home)
    return Lake(loaded.home, settings=loaded.settings.data)


def refuse_unknown(lake: "Lake", instruments: Sequence[str] | None) -> None:
    """Refuse a named instrument the lake has nothing of."""
    known = {info.key.instrument for info in lake.series()} if instruments else set()
    for name in instruments or ():
        if name not in known:
            raise InputError(
                f"the lake has nothing of {name}; `openalpha data list` shows what it has"
            )


@app.command("import")
def import_(  # noqa: PLR0913, PLR0917 - the options of a command
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Files and folders.")],
    market: Annotated[
        str, typer.Option(help="Whose data it is, where names do not tell: bybit_linear.")
    ] = "",
    symbol: Annotated[str, typer.Option(help="The venue's symbol: BTCUSDT.")] = "",
    timeframe: Annotated[str, typer.Option(help="Time frame of the bars: 1m, 4h.")] = "",
    reject_to: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Set unfit rows aside in this CSV and import the rest."),
    ] = None,
    config: ConfigOption = None,
    settings: SetOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Take files and folders of history into the lake, all or nothing."""
    from openalpha.core.clock import SystemClock
    from openalpha.market.importers import Stated, import_paths

    screen = Screen(json_to, is_quiet=quiet)
    lake = open_lake(config, settings, writes=True)
    stated = Stated(market, symbol, timeframe, reject_to)
    with screen.progress("importing", unit="files") as advance:
        report = import_paths(lake, paths, clock=SystemClock(), stated=stated, advance=advance)
    taken = [item for item in report.files if not item.skipped]
    left = [item for item in report.files if item.skipped]
    screen.show(_import_table(taken))
    for item in left:
        screen.remark(f"not taken: {item.path}: {item.skipped}")
    rows = sum(item.rows for item in taken)
    screen.show(
        f"{len({item.path for item in taken})} files taken, {len(left)} left; {rows:,} rows, "
        f"{report.added:,} of them new"
    )
    if report.rejected_to:
        rejected = sum(item.rejected for item in taken)
        screen.remark(f"{rejected:,} unfit rows set aside in {report.rejected_to}")
    screen.result(
        {
            "schema": "openalpha.data_import/1",
            "rows": rows,
            "added": report.added,
            "rejected_to": report.rejected_to,
            "files": report.files,
        }
    )


def _import_table(files: list[Any]) -> Any:
    from rich.table import Table

    table = Table("series", "rows", "new", "unfit", "file", "notes", box=None, pad_edge=False)
    for name in ("rows", "new", "unfit"):
        _right(table, name)
    for item in files:
        counts = (f"{item.rows:,}", f"{item.added:,}", f"{item.rejected:,}")
        table.add_row(item.series, *counts, item.path, "; ".join(item.notes))
    return table


def _right(table: Any, *names: str) -> None:
    for column in table.columns:
        if column.header in names:
            column.justify = "right"


@app.command("list")
def list_(
    instrument: InstrumentOption = None,
    config: ConfigOption = None,
    settings: SetOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """List what the lake has."""
    from rich.table import Table

    from openalpha.core.clock import format_ms

    screen = Screen(json_to, is_quiet=quiet)
    lake = open_lake(config, settings)
    infos = [i for i in lake.series() if not instrument or i.key.instrument in instrument]
    table = Table("instrument", "kind", "time frame", "rows", "first", "last", box=None,
                  pad_edge=False)  # fmt: skip
    _right(table, "rows")
    rows = []
    for info in infos:
        key = info.key
        first, last = format_ms(info.first_ms), format_ms(info.last_ms)
        table.add_row(key.instrument, str(key.kind), key.timeframe, f"{info.rows:,}", first, last)
        rows.append(
            {
                "instrument": key.instrument,
                "kind": str(key.kind),
                "timeframe": key.timeframe or None,
                "rows": info.rows,
                "first": info.first_ms,
                "last": info.last_ms,
                "first_utc": first,
                "last_utc": last,
                "fingerprint": info.fingerprint,
                "sources": info.sources,
            }
        )
    if rows:
        screen.show(table)
    else:
        screen.show("The lake has no such series; `openalpha data import` and `download` fill it.")
    screen.result({"schema": "openalpha.data_list/1", "lake": lake.root, "series": rows})


@app.command()
def check(
    instrument: InstrumentOption = None,
    config: ConfigOption = None,
    settings: SetOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Look for what is missing or wrong; exit 4 when a range is unusable."""
    from openalpha.cli.border import CHECK_FAILED
    from openalpha.cli.data_tables import show_check
    from openalpha.core.clock import SystemClock
    from openalpha.market.check import as_json, check_lake

    screen = Screen(json_to, is_quiet=quiet)
    lake = open_lake(config, settings)
    refuse_unknown(lake, instrument)
    total = len(lake.series())
    with screen.progress("checking", total, unit="series") as advance:
        found = check_lake(lake, clock=SystemClock(), only=instrument or (), advance=advance)
    show_check(screen, found)
    screen.result(as_json(found))
    if not found.is_fine:
        raise typer.Exit(CHECK_FAILED)


@app.command()
def resample(
    to: Annotated[list[str], typer.Option("--to", help="Time frame to make: 4h; repeatable.")],
    instrument: InstrumentOption = None,
    source: Annotated[
        str, typer.Option("--timeframe", help="Make it from this one; else what gives most bars.")
    ] = "",
    config: ConfigOption = None,
    settings: SetOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Make bars of a longer time frame, exact and from whole sets of bars only."""
    from openalpha.market.resample import resample_lake
    from openalpha.market.series import SeriesKind

    screen = Screen(json_to, is_quiet=quiet)
    lake = open_lake(config, settings)
    made = resample_lake(lake, _chosen(lake, instrument, SeriesKind.BARS, source), timeframes=to)
    for row in made:
        screen.show(f"{row.key}: {row.bars:,} bars from {row.source.timeframe}, {row.added:,} new")
    screen.result(
        {
            "schema": "openalpha.data_resample/1",
            "series": [
                {
                    "series": str(row.key),
                    "from": row.source.timeframe,
                    "bars": row.bars,
                    "added": row.added,
                }
                for row in made
            ],
        }
    )


@app.command()
def export(  # noqa: PLR0913, PLR0917 - the options of a command
    to_folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where files are written.")],
    instrument: InstrumentOption = None,
    kind: Annotated[str, typer.Option(help="Only this kind: bars, funding, mark, trades.")] = "",
    timeframe: Annotated[str, typer.Option(help="Only this time frame.")] = "",
    file_format: Annotated[
        str, typer.Option("--format", help="csv, parquet or feather.")
    ] = "parquet",
    start: FromOption = None,
    end: ToOption = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
    config: ConfigOption = None,
    settings: SetOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Write series as files in the layout that `import` reads."""
    from openalpha.core.clock import parse_ms
    from openalpha.market.export import export_series

    screen = Screen(json_to, is_quiet=quiet)
    lake = open_lake(config, settings)
    keys = _chosen(lake, instrument, kind, timeframe)
    span = (parse_ms(start) if start else None, parse_ms(end) if end else None)
    written = export_series(
        lake, keys, folder=to_folder, file_format=file_format, span=span, force=force
    )
    for path, rows in written:
        screen.show(f"{path}: {rows:,} rows")
    files = [{"path": path, "rows": rows} for path, rows in written]
    screen.result({"schema": "openalpha.data_export/1", "files": files})


def _chosen(
    lake: "Lake", instruments: list[str] | None, kind: str, timeframe: str
) -> list["SeriesKey"]:
    from openalpha.core.clock import parse_timeframe, timeframe_name

    wanted = timeframe_name(parse_timeframe(timeframe)) if timeframe else ""
    refuse_unknown(lake, instruments)
    found = [
        info.key
        for info in lake.series()
        if (not instruments or info.key.instrument in instruments)
        and (not kind or info.key.kind == kind)
        and (not wanted or info.key.timeframe == wanted)
    ]
    if not found:
        raise InputError("the lake has no such series; `openalpha data list` shows what it has")
    return found


for _module in (
    "openalpha.cli.data_download",
    "openalpha.cli.data_repair",
    "openalpha.cli.data_synth",
):
    # Each holds `app`, a `typer.Typer` with commands of its own.
    if importlib.util.find_spec(_module) is not None:
        app.registered_commands.extend(importlib.import_module(_module).app.registered_commands)
