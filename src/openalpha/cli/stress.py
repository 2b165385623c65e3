"""`openalpha stress`: lead a strategy through crises and shocks."""

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
def stress(  # noqa: PLR0913, PLR0917 - the options of a command
    what: WhatArgument,
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
    """Lead a strategy through the crises its data holds, and through shocks."""
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
    with counting(screen, "running it again", unit="shocks") as told:
        result = judging.stress(
            strategy, histories, params=params, capital=capital, home=loaded.home, family=family,
            progress=told, **groups_of(loaded),
        )  # fmt: skip
    show_listing(screen, result.struck, title=result.headline)
    if result.crises:
        show_listing(screen, result.passed, title="Crises in the data")
    say_verdict(screen, result.sentences)
    if absent := result.absent:
        screen.remark(f"Not in the data: {', '.join(one.name for one in absent)}")
    write_pages(screen, result, html=html, pdf=pdf, document=result.to_json())
    return 0 if result.is_complete else STOPPED
