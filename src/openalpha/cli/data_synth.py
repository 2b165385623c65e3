"""`openalpha data synth`: make a synthetic market, for the lake or as files."""

from dataclasses import replace
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
    from openalpha.market.synth import SynthMarket, SynthSpec

__all__ = ["app"]

app = typer.Typer()


@app.command("synth")
def synth(  # noqa: PLR0913, PLR0917 - the options of a command
    preset: Annotated[
        str, typer.Option(help="demo (2 years of 1m), small (a month of 5m), hourly (3 years).")
    ] = "demo",
    symbols: Annotated[
        str, typer.Option(metavar="A,B", help="Perpetuals; the first leads the others.")
    ] = "",
    spots: Annotated[
        str, typer.Option(metavar="A,B", help="Spot instruments; 'none' for none.")
    ] = "",
    since: Annotated[str, typer.Option(metavar="DATE", help="First day (UTC).")] = "",
    days: Annotated[int, typer.Option(help="Length in days; 0: the preset's.")] = 0,
    timeframe: Annotated[str, typer.Option(help="1m to 1h dividing an hour, or 4h … 1d.")] = "",
    seed: Annotated[int, typer.Option(help="Which of the markets.", min=0)] = 7,
    edge: Annotated[
        str, typer.Option(metavar="KIND:SHARPE", help="Plant an edge: momentum:2.0.")
    ] = "",
    out: Annotated[str, typer.Option(metavar="DIR|lake", help="Where it goes.")] = "lake",
    replaces: Annotated[
        bool, typer.Option("--replace", help="Put it in the place of an earlier one.")
    ] = False,
    config: ConfigOption = None,
    settings: SetOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Make a SYNTHETIC market: lifelike noise, with or without a planted edge."""
    from openalpha.market.synth import synthesise

    screen = Screen(json_to, is_quiet=quiet)
    spec = _spec(preset, symbols=symbols, spots=spots, since=since, days=days)
    spec = _shaped(spec, timeframe=timeframe, edge=edge)
    loaded = read_settings(config, settings)
    with screen.progress("making a synthetic market"):
        market = synthesise(spec, seed=seed)
        where = _kept(market, out, loaded=loaded, replaces=replaces)
    _show(screen, market, where)


def _spec(preset: str, *, symbols: str, spots: str, since: str, days: int) -> "SynthSpec":
    from openalpha.core.clock import parse_ms
    from openalpha.market.synth import PRESETS

    spec = PRESETS.get(preset)
    if spec is None:
        raise InputError(f"--preset was '{preset}', expected {', '.join(PRESETS)}")
    if days < 0:
        raise InputError(f"--days was {days}, expected 1 or more")
    changes: dict[str, Any] = {}
    if symbols:
        changes["perps"] = _split(symbols)
        changes["spots"] = tuple(name for name in spec.spots if name in changes["perps"])
    if spots:
        changes["spots"] = () if spots == "none" else _split(spots)
    if since:
        changes["start_ms"] = parse_ms(since)
    if days:
        changes["days"] = days
    return replace(spec, **changes)


def _shaped(spec: "SynthSpec", *, timeframe: str, edge: str) -> "SynthSpec":
    from openalpha.core.clock import parse_timeframe
    from openalpha.market.synth import Edge

    return replace(
        spec,
        timeframe_ms=parse_timeframe(timeframe) if timeframe else spec.timeframe_ms,
        edge=Edge.parse(edge) if edge else None,
    )


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _kept(market: "SynthMarket", out: str, *, loaded: Any, replaces: bool) -> str:
    from openalpha.core.clock import SystemClock
    from openalpha.market.lake import Lake
    from openalpha.market.synth.keep import keep_in_lake, write_files
    from openalpha.settings import prepare_home

    if out != "lake":
        return f"{len(write_files(market, Path(out)))} files in {out}"
    prepare_home(loaded.home)
    lake = Lake(loaded.home, settings=loaded.settings.data)
    kept = keep_in_lake(market, lake, clock=SystemClock(), replaces=replaces)
    return f"{len(kept)} series in the lake"


def _show(screen: Screen, market: "SynthMarket", where: str) -> None:
    from rich.table import Table

    from openalpha.core.clock import format_ms, timeframe_name

    table = Table("instrument", "bars", "from", "to", "first", "last", "planted net Sharpe",
                  box=None, pad_edge=False)  # fmt: skip
    rows = []
    for name, history in market.histories.items():
        close = history.column("close")
        first, last = format_ms(int(history.ts_ms[0])), format_ms(history.end_ms)
        sharpe = market.net_sharpe.get(name)
        table.add_row(
            name, f"{len(history):,}", first, last, f"{close[0]:,g}", f"{close[-1]:,g}",
            "none" if sharpe is None else f"{sharpe:.2f}",
        )  # fmt: skip
        rows.append(
            {
                "instrument": name,
                "timeframe": timeframe_name(history.timeframe_ms),
                "bars": len(history),
                "first": int(history.ts_ms[0]),
                "end": history.end_ms,
                "fingerprint": history.fingerprint,
                "planted_net_sharpe": sharpe,
            }
        )
    screen.show(table)
    screen.show(f"SYNTHETIC, seed {market.seed}: {where}")
    screen.result({"schema": "openalpha.data_synth/1", "seed": market.seed, "instruments": rows})
