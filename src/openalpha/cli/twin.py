"""`openalpha twin`: an exchange on this machine that speaks Bybit's protocol."""

from pathlib import Path
from typing import Annotated

import typer

from openalpha.cli.conventions import JsonOption, QuietOption, Screen

__all__ = ["app"]

app = typer.Typer()


@app.command()
def twin(  # noqa: PLR0913, PLR0917 - the options of a command
    port: Annotated[int, typer.Option(help="Where it listens; 0 takes a free port.", min=0)] = 8315,
    host: Annotated[str, typer.Option(help="Address; only this machine unless told.")] = (
        "127.0.0.1"
    ),
    seed: Annotated[int, typer.Option(help="Which synthetic market.", min=0)] = 7,
    market: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CATEGORY:SYMBOL=PRICE",
            help="List this market, e.g. linear:BTCUSDT=60000; repeatable. Default: six.",
        ),
    ] = None,
    latency_ms: Annotated[
        int, typer.Option(help="Milliseconds an order takes to the book.", min=0)
    ] = 0,
    lockstep: Annotated[
        bool,
        typer.Option("--lockstep", help="Time stands still until POST /twin/clock moves it."),
    ] = False,
    lift_limits: Annotated[
        bool, typer.Option("--lift-limits", help="Answer without rate limits.")
    ] = False,
    seconds: Annotated[
        float | None, typer.Option("--for", metavar="SECONDS", help="Stop after so long.", min=0)
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Keep accounts and orders here; go on from it."),
    ] = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Serve a synthetic exchange that unmodified Bybit clients can trade on."""
    from openalpha.core.clock import ManualClock, SystemClock
    from openalpha.venue.twin import Exchange, TwinSettings
    from openalpha.venue.twin.asgi import App
    from openalpha.venue.twin.durable import open_twin
    from openalpha.venue.twin.serve import Address, bind, serve
    from openalpha.venue.twin.settings import read_listings
    from openalpha.venue.twin.warm import warm

    screen = Screen(json_to, is_quiet=quiet)
    settings = TwinSettings(seed=seed, listings=read_listings(market), latency_ms=latency_ms)
    listener = bind(Address(port, host))
    url = f"http://{host}:{listener.getsockname()[1]}"
    screen.remark("Opening the market (compiles the kernel at first)")
    warm()
    journal = None
    now = SystemClock()
    clock = ManualClock(now.now_ms()) if lockstep else now
    if state is None:
        exchange = Exchange(settings, clock)
    else:
        exchange, journal = open_twin(state, settings, clock=clock)
    exchange.limits.is_lifted = lift_limits

    def ready() -> None:
        screen.show(f"The twin listens on {url} · seed {exchange.state.settings.seed}")
        for one in exchange.state.listings.values():
            screen.show(f"  {one.category:8}{one.symbol}")
        screen.remark(
            f"""An account: curl -d '{{"balances":{{"USDT":"50000"}}}}' {url}/twin/accounts"""
        )
        screen.result({"schema": "openalpha.twin/1", "url": url, "seed": seed})

    serve(App(exchange, journal), listener, seconds=seconds, ready=ready)
