"""`openalpha montecarlo`: ask how else a backtest could have gone."""

from typing import Annotated

import typer

from openalpha.cli.backtest import (
    CapitalOption,
    DataOption,
    FamilyOption,
    InstrumentOption,
    ParamOption,
    SinceOption,
    TimeframeOption,
    UntilOption,
    WhatArgument,
)
from openalpha.cli.border import STOPPED
from openalpha.cli.conventions import (
    ConfigOption,
    JsonOption,
    QuietOption,
    Screen,
    SetOption,
    read_settings,
)
from openalpha.cli.study import (
    HtmlOption,
    PdfOption,
    SeedOption,
    WorkersOption,
    counting,
    data_of,
    groups_of,
    say_verdict,
    show_listing,
    strategy_of,
    write_pages,
)

__all__ = ["app"]

app = typer.Typer()


@app.command()
def montecarlo(  # noqa: PLR0913, PLR0917 - the options of a command
    what: WhatArgument,
    paths: Annotated[int, typer.Option("--paths", help="Shuffled paths.")] = 10_000,
    reruns: Annotated[
        int, typer.Option("--reruns", help="Runs on resampled bars, and with jittered parameters.")
    ] = 100,
    jitter: Annotated[
        float, typer.Option("--jitter", metavar="SHARE", help="How far off a parameter may be.")
    ] = 0.1,
    ruin: Annotated[
        float, typer.Option("--ruin", metavar="SHARE", help="Of the capital, what counts as ruin.")
    ] = 0.5,
    seed: SeedOption = 1,
    workers: WorkersOption = None,
    instrument: InstrumentOption = None,
    timeframe: TimeframeOption = "",
    since: SinceOption = "",
    until: UntilOption = "",
    param: ParamOption = None,
    capital: CapitalOption = "10000",
    data: DataOption = None,
    json_to: JsonOption = None,
    html: HtmlOption = None,
    pdf: PdfOption = None,
    family: FamilyOption = "",
    settings: SetOption = None,
    config: ConfigOption = None,
    quiet: QuietOption = False,
) -> int:
    """Ask how else a backtest could have gone."""
    from openalpha import judging
    from openalpha.cli.strategy import parse_pairs

    screen = Screen(json_to, is_quiet=quiet)
    strategy, more = strategy_of(what)
    params = parse_pairs(param, "--param")
    loaded = read_settings(config, settings)
    histories = data_of(
        screen, loaded, [*(instrument or ()), *more], files=data or (), timeframe=timeframe,
        span=(since, until), capital=capital,
    )  # fmt: skip
    with counting(screen, "running it again", unit="runs") as told:
        result = judging.montecarlo(
            strategy, histories, paths=paths, reruns=reruns, jitter=jitter, ruin=ruin, seed=seed,
            workers=workers, params=params, capital=capital, home=loaded.home, family=family,
            progress=told, **groups_of(loaded),
        )  # fmt: skip
    show_listing(screen, result.summary, title=result.headline)
    say_verdict(screen, result.sentences)
    write_pages(screen, result, html=html, pdf=pdf, document=result.to_json())
    return 0 if result.is_complete else STOPPED
