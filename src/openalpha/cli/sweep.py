"""`openalpha sweep`: try many configurations of a strategy, every one counted."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
    CsvFileOption,
    GridOption,
    HtmlOption,
    MethodOption,
    ObjectiveOption,
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
    from openalpha.research.sweep_result import SweepResult

__all__ = ["app"]

app = typer.Typer()

_TOP = 10

PruneOption = Annotated[
    float, typer.Option("--prune", metavar="SHARE", help="Give hopeless trials up after it.")
]
ResumeOption = Annotated[bool, typer.Option("--resume", help="Go on where the same sweep stopped.")]
ClusterOption = Annotated[
    str, typer.Option("--cluster", metavar="ADDRESS", help="Run on the workers of a Dask cluster.")
]
ParquetOption = Annotated[
    Path | None, typer.Option("--parquet", metavar="FILE", help="With the daily returns of each.")
]


@app.command()
def sweep(  # noqa: PLR0913, PLR0917 - the options of a command
    what: WhatArgument,
    grid: GridOption = None,
    objective: ObjectiveOption = None,
    method: MethodOption = "grid",
    trials: TrialsOption = None,
    seed: SeedOption = 1,
    prune: PruneOption = 0.0,
    workers: WorkersOption = None,
    cluster: ClusterOption = "",
    resume: ResumeOption = False,
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
    csv: CsvFileOption = None,
    parquet: ParquetOption = None,
    family: FamilyOption = "",
    settings: SetOption = None,
    config: ConfigOption = None,
    quiet: QuietOption = False,
) -> int:
    """Try many configurations of a strategy, every one counted."""
    from openalpha.cli.strategy import parse_pairs

    screen = Screen(json_to, is_quiet=quiet)
    strategy, more = strategy_of(what)
    grids, params = parse_grid(grid), parse_pairs(param, "--param")
    loaded = read_settings(config, settings)
    histories = data_of(
        screen, loaded, [*(instrument or ()), *more], files=data or (), timeframe=timeframe,
        span=(since, until), capital=capital,
    )  # fmt: skip
    choices = {
        "objective": tuple(objective or ("sharpe",)), "method": method, "trials": trials,
        "seed": seed, "prune": prune, "workers": workers, "cluster": cluster, "resume": resume,
        "family": family, "params": params, "capital": capital, "home": loaded.home,
        **groups_of(loaded),
    }  # fmt: skip
    result = _run(screen, strategy, histories, {"grid": grids, **choices})
    _show(screen, result)
    for path, write in ((csv, result.to_csv), (parquet, result.to_parquet)):
        if path is not None:
            screen.remark(f"Trials written to {write(path)}")
    write_pages(screen, result, html=html, pdf=pdf, document=result.to_json())
    return 0 if result.is_complete else STOPPED


def _run(screen: Screen, strategy: str, histories: Any, choices: dict[str, Any]) -> "SweepResult":
    from openalpha import studies

    with counting(screen, "trying", unit="configurations") as told:
        return studies.sweep(strategy, histories, progress=told, **choices)


def _show(screen: Screen, result: "SweepResult") -> None:
    from openalpha.research.sweep_html import rows_table, toned

    best = rows_table(result, result.order[:_TOP].tolist())
    show_listing(screen, best, title=result.headline)
    if len(result.objectives) > 1:
        front = rows_table(result, result.front[:_TOP])
        show_listing(screen, front, title="The front: no other trial is better in every objective")
    say_verdict(screen, toned(result))
    counts = result.counts
    words = [f"{count:,} {what}" for what, count in counts.items() if count]
    screen.remark(
        f"{', '.join(words)} in {result.seconds:.1f} s; the family of {result.record['strategy']} "
        f"has tried {result.family:,} configurations here"
    )
    if not result.is_complete:
        screen.remark("Stopped: what was done is kept and counted; the same with --resume goes on.")
