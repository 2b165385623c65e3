"""`openalpha data download`: fetch history from a venue or its trade archive into the lake."""

import threading
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
    from openalpha.market.download.run import DownloadReport, Wanted
    from openalpha.settings import LoadedSettings

__all__ = ["app"]

app = typer.Typer()

_KINDS = {"funding": "funding", "mark": "mark", "index": "index", "oi": "open_interest"}


@app.command("download")
def download(  # noqa: PLR0913, PLR0917 - the options of a command
    market: Annotated[str, typer.Option(help="bybit_linear, bybit_spot, binance_usdm …")],
    symbols: Annotated[str, typer.Option(metavar="A,B", help="The venue's symbols: BTCUSDT.")],
    timeframes: Annotated[str, typer.Option(metavar="1m,1h", help="Bars to fetch.")] = "1m",
    since: Annotated[
        str, typer.Option(metavar="TIME", help="First moment; left out: two years ago.")
    ] = "",
    until: Annotated[
        str, typer.Option(metavar="TIME", help="End, not included; left out: now.")
    ] = "",
    beside: Annotated[
        str, typer.Option("--with", metavar="KINDS", help="Of funding,mark,index,oi.")
    ] = "",
    base_url: Annotated[
        str, typer.Option(metavar="URL", help="Ask this server instead of the venue.")
    ] = "",
    from_: Annotated[
        str, typer.Option("--from", metavar="api|archive", help="Bars, or daily trade files.")
    ] = "api",
    config: ConfigOption = None,
    settings: SetOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Fetch what the lake lacks; killed or stopped, the same command goes on from there."""
    from openalpha.core.clock import SystemClock
    from openalpha.net import HttpTransport
    from openalpha.settings import prepare_home

    if from_ not in ("api", "archive"):
        raise InputError(f"--from was '{from_}', expected api or archive")
    screen = Screen(json_to, is_quiet=quiet)
    loaded = read_settings(config, settings)
    clock = SystemClock()
    wanted = _wanted(
        market,
        (symbols, timeframes),
        (since, until),
        beside=beside,
        now_ms=clock.now_ms(),
        is_archive=from_ == "archive",
    )
    prepare_home(loaded.home)
    with HttpTransport(timeout_s=loaded.settings.download.timeout_s) as transport:
        report = _fetch(screen, loaded, wanted, transport, base_url, is_archive=from_ == "archive")
    _show(screen, report)


def _wanted(
    market: str,
    named: tuple[str, str],
    span: tuple[str, str],
    *,
    beside: str,
    now_ms: int,
    is_archive: bool,
) -> "Wanted":
    from openalpha.core.clock import DAY_MS, parse_ms, parse_timeframe, timeframe_name
    from openalpha.market.download.run import Wanted
    from openalpha.market.series import SeriesKind

    kinds = []
    for name in _split(beside):
        if name not in _KINDS:
            raise InputError(f"--with was '{name}', expected funding, mark, index or oi")
        kinds.append(SeriesKind(_KINDS[name]))
    if is_archive and kinds:
        raise InputError("trade archives hold trades only; leave out --with or --from archive")
    since_ms = parse_ms(span[0]) if span[0] else now_ms - 730 * DAY_MS
    until_ms = parse_ms(span[1]) if span[1] else (now_ms if is_archive else now_ms + DAY_MS)
    return Wanted(
        market,
        _split(named[0]),
        tuple(timeframe_name(parse_timeframe(name)) for name in _split(named[1])),
        since_ms,
        until_ms,
        tuple(dict.fromkeys(kinds)),
    )


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _fetch(
    screen: Screen,
    loaded: "LoadedSettings",
    wanted: "Wanted",
    transport: Any,
    base_url: str,
    *,
    is_archive: bool,
) -> "DownloadReport":
    from openalpha.core.clock import SystemClock
    from openalpha.market.download.archive import download_archive
    from openalpha.market.download.run import download as download_series
    from openalpha.market.download.venues import Wiring
    from openalpha.market.lake import Lake

    options = loaded.settings.download
    lake = Lake(loaded.home, settings=loaded.settings.data)
    wiring = Wiring(transport, home=loaded.home, settings=options, clock=SystemClock())
    unit = "days" if is_archive else "rows"
    with screen.progress(f"downloading {wanted.market}", unit=unit) as advance:

        def start(total: int) -> None:
            advance(0, total=total)

        if is_archive:
            url = base_url or options.archive_url
            patient = wiring.patient(threading.Event())
            return download_archive(
                wanted, lake, transport=patient, archive_url=url, on_start=start, on_rows=advance
            )
        return download_series(
            wanted,
            lake,
            make_collector=lambda stop: wiring.collector(wanted.market, stop, base_url=base_url),
            workers=options.workers,
            on_start=start,
            on_rows=advance,
        )


def _show(screen: Screen, report: "DownloadReport") -> None:
    from rich.table import Table

    from openalpha.core.clock import format_ms

    table = Table("series", "new", "had", "not there", box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for item in report.series:
        table.add_row(item.series, f"{item.added:,}", f"{item.known:,}", f"{len(item.holes):,}")
    screen.show(table)
    for item in report.series:
        for begin, end in item.holes[:5]:
            screen.remark(f"{item.series}: nothing there {format_ms(begin)} to {format_ms(end)}")
    for note in report.notes:
        screen.remark(note)
    screen.result(
        {
            "schema": "openalpha.data_download/1",
            "instruments": report.instruments,
            "series": report.series,
            "notes": report.notes,
        }
    )
