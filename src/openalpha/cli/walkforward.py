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
    SeedOption,
    TrialsOption,
    WorkersOption,
    data_of,
    groups_of,
    parse_grid,
    say_verdict,
    show_rows,
    strategy_of,
    write_pages,
)

if TYPE_CHECKING:
    from openalpha.research.walkforward import WalkForwardResult

__all__ = ["app"]

app = typer.Typer()


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
    purge: Annotated[
        int, typer.Option("--purge", metavar="BARS", help="Left out at the end of each training.")
    ] = 0,
    embargo: Annotated[
        int, typer.Option("--embargo", metavar="BARS", help="Left out besides before each test.")
    ] = 0,
    objective: Annotated[
        str, typer.Option("--objective", metavar="METRIC", help="What to optimise.")
    ] = "sharpe",
    method: Annotated[str, typer.Option("--method", help="grid or random.")] = "grid",
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
    family: FamilyOption = "",
    settings: SetOption = None,
    config: ConfigOption = None,
    quiet: QuietOption = False,
) -> None:
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
    with screen.progress("training and testing"):
        result = judging.walkforward(
            strategy, histories, grid=parse_grid(grid), folds=folds, train=train,
            anchored=anchored, purge_bars=purge, embargo_bars=embargo, objective=objective,
            method=method, trials=trials, seed=seed, workers=workers, params=params,
            capital=capital, home=loaded.home, family=family, **groups_of(loaded),
        )  # fmt: skip
    _show(screen, result)
    write_pages(screen, result, html=html, document=result.to_json())


def _show(screen: Screen, result: "WalkForwardResult") -> None:
    names = [name for name in result.frame.columns if not name.startswith("train_")]
    show_rows(screen, result.headline, names, result.frame.select(names).rows())
    say_verdict(screen, result.sentences)
    screen.remark(
        f"{result.configurations:,} configurations in each fold; the family of "
        f"{result.record['strategy']} has tried {result.family:,} here"
    )
