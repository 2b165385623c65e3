"""`openalpha walkforward`: optimise, test on the time that follows, move on."""

from typing import TYPE_CHECKING, Annotated

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
    GridOption,
    HtmlOption,
    MethodOption,
    PdfOption,
    SeedOption,
    TrialsOption,
    WorkersOption,
    counting,
    data_of,
    groups_of,
    parse_grid,
    say_verdict,
    show_listing,
    strategy_of,
    write_pages,
)

if TYPE_CHECKING:
    from openalpha.research.walkforward_result import WalkForwardResult

__all__ = ["app"]

app = typer.Typer()


PurgeOption = Annotated[
    int | None,
    typer.Option(
        "--purge",
        metavar="BARS",
        help="Left out at the end of each training; else the longest holding before it.",
    ),
]
EmbargoOption = Annotated[
    int | None,
    typer.Option(
        "--embargo",
        metavar="BARS",
        help="Left out besides before each test; else as much as the strategy remembers.",
    ),
]


@app.command()
def walkforward(  # noqa: PLR0913, PLR0917 - the options of a command
    what: WhatArgument,
    grid: GridOption = None,
    folds: Annotated[int, typer.Option("--folds", help="How many tests.")] = 8,
    train: Annotated[
        float, typer.Option("--train", metavar="SHARE", help="Of the time, the first training.")
    ] = 0.4,
    anchored: Annotated[
        bool, typer.Option("--anchored", help="Every training begins at the first bar.")
    ] = False,
    purge: PurgeOption = None,
    embargo: EmbargoOption = None,
    objective: Annotated[
        str, typer.Option("--objective", metavar="METRIC", help="What to optimise.")
    ] = "sharpe",
    method: MethodOption = "grid",
    trials: TrialsOption = None,
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
    """Optimise on a stretch of time, test the best on the next, move on."""
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
    with counting(screen, "training and testing", unit="runs") as told:
        result = judging.walkforward(
            strategy, histories, grid=parse_grid(grid), folds=folds, train=train,
            anchored=anchored, purge_bars=purge, embargo_bars=embargo, objective=objective,
            method=method, trials=trials, seed=seed, workers=workers, params=params,
            capital=capital, home=loaded.home, family=family, progress=told,
            **groups_of(loaded),
        )  # fmt: skip
    _show(screen, result)
    write_pages(screen, result, html=html, pdf=pdf, document=result.to_json())
    return 0 if result.is_complete else STOPPED


def _show(screen: Screen, result: "WalkForwardResult") -> None:
    show_listing(screen, result.listing, title=result.headline)
    say_verdict(screen, result.sentences)
    screen.remark(
        f"{result.configurations:,} configurations in each fold; the family of "
        f"{result.record['strategy']} has tried {result.family:,} here"
    )
