"""`openalpha twin`: an exchange on this machine that speaks Bybit's protocol."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from openalpha.cli.conventions import JsonOption, QuietOption, Screen, read_settings

if TYPE_CHECKING:
    from openalpha.venue.twin import Exchange, TwinSettings
    from openalpha.venue.twin.journal import Journal

__all__ = ["app"]

app = typer.Typer()

_MarketOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="CATEGORY:SYMBOL=PRICE",
        help="List this market, e.g. linear:BTCUSDT=60000; repeatable. Default: six.",
    ),
]
_ReplayOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="CATEGORY:SYMBOL[=INSTRUMENT]",
        help="Replay this listed market from the lake (default: bybit_CATEGORY:SYMBOL).",
    ),
]


@app.command()
def twin(  # noqa: PLR0913, PLR0917 - the options of a command
    port: Annotated[int, typer.Option(help="Where it listens; 0 takes a free port.", min=0)] = 8315,
    host: Annotated[str, typer.Option(help="Address; only this machine unless told.")] = (
        "127.0.0.1"
    ),
    seed: Annotated[int, typer.Option(help="Which synthetic market.", min=0)] = 7,
    market: _MarketOption = None,
    replay: _ReplayOption = None,
    feed: Annotated[
        str,
        typer.Option(metavar="bars|trades|book", help="What is replayed; book: depth and trades."),
    ] = "bars",
    timeframe: Annotated[
        str, typer.Option(help="Bars that are replayed, or on which recorded trades begin.")
    ] = "1m",
    start: Annotated[
        str | None, typer.Option(metavar="TIME", help="Where the replay begins.")
    ] = None,
    latency_ms: Annotated[
        int, typer.Option(help="Milliseconds an order takes to the book.", min=0, max=60_000)
    ] = 0,
    lockstep: Annotated[
        bool,
        typer.Option("--lockstep", help="Time stands still until POST /twin/clock moves it."),
    ] = False,
    lift_limits: Annotated[
        bool, typer.Option("--lift-limits", help="Answer without rate limits.")
    ] = False,
    state: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Keep accounts and orders here; go on from it."),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option("--for", metavar="SECONDS", help="Stop after so long.", min=0)
    ] = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Serve a synthetic exchange that unmodified Bybit clients can trade on."""
    from openalpha.venue.twin import TwinSettings
    from openalpha.venue.twin.asgi import App
    from openalpha.venue.twin.serve import Address, bind, serve
    from openalpha.venue.twin.settings import read_listings
    from openalpha.venue.twin.warm import warm

    screen = Screen(json_to, is_quiet=quiet)
    settings = TwinSettings(seed=seed, listings=read_listings(market), latency_ms=latency_ms)
    names = _replayed(replay or (), settings)
    listener = bind(Address(port, host))
    url = f"http://{host}:{listener.getsockname()[1]}"
    screen.remark("Opening the market (compiles the kernel at first)")
    warm()
    exchange, journal = _opened(
        settings, state, replays=(names, timeframe, feed, start), is_lockstep=lockstep
    )
    exchange.limits.is_lifted = lift_limits

    def ready() -> None:
        _introduce(screen, exchange, url, replayed=names)

    serve(App(exchange, journal), listener, seconds=seconds, ready=ready)


def _introduce(
    screen: Screen, exchange: "Exchange", url: str, *, replayed: Mapping[str, str]
) -> None:
    """Say where the twin listens and what it lists."""
    seed = exchange.state.settings.seed
    screen.show(f"The twin listens on {url} · seed {seed}")
    for one in exchange.state.listings.values():
        how = "replayed" if one.key in replayed else "synthetic"
        screen.show(f"  {one.category:8}{one.symbol:10}{how}")
    screen.remark(
        f"""An account: curl -d '{{"balances":{{"USDT":"50000"}}}}' {url}/twin/accounts"""
    )
    screen.result({"schema": "openalpha.twin/1", "url": url, "seed": seed})


def _replayed(texts: Sequence[str], settings: "TwinSettings") -> dict[str, str]:
    """Return which listed market replays which instrument of the lake."""
    from openalpha.core.errors import UnknownName

    listed = [f"{one.category}:{one.symbol}" for one in settings.listings]
    names = {}
    for text in texts:
        key, _, name = text.partition("=")
        if key not in listed:
            raise UnknownName(f"'{key}' is not listed; name one of {', '.join(listed)}")
        names[key] = name or f"bybit_{key}"
    return names


def _opened(
    settings: "TwinSettings",
    state: Path | None,
    *,
    replays: tuple[dict[str, str], str, str, str | None],
    is_lockstep: bool,
) -> tuple["Exchange", "Journal | None"]:
    """Return the exchange, taken up from its folder where it has one, and its journal."""
    from openalpha.core.clock import ManualClock, SystemClock, parse_ms
    from openalpha.venue.twin import Exchange
    from openalpha.venue.twin.durable import open_twin
    from openalpha.venue.twin.journal import read_genesis
    from openalpha.venue.twin.recordings import load_recordings

    names, timeframe, feed, start = replays
    genesis = None if state is None else read_genesis(state)
    wall = SystemClock()
    begin = wall.now_ms() if genesis is None else genesis[1]
    histories = None
    if names:
        histories, begin = load_recordings(
            read_settings(None, None).home,
            names,
            timeframe=timeframe,
            feed=feed,
            start_ms=None if start is None else parse_ms(start),
            now_ms=None if is_lockstep else begin,
        )
    own = ManualClock(begin)
    clock = own if is_lockstep else wall
    if state is None:
        return Exchange(settings, clock, histories=histories), None
    exchange, journal = open_twin(state, settings, clock=clock, histories=histories, begin_ms=begin)
    own.ts_ms = max(own.ts_ms, exchange.state.now_ms)
    return exchange, journal
