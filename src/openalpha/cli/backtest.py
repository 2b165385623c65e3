"""`openalpha backtest`: test a strategy on history, every cost counted."""

from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from openalpha.cli.backtest_data import Wanted, histories_of, is_instrument, parse_wanted
from openalpha.cli.conventions import (
    ConfigOption,
    JsonOption,
    QuietOption,
    Screen,
    SetOption,
    read_settings,
    write_text,
)
from openalpha.core.errors import InputError, OpenAlphaError

if TYPE_CHECKING:
    from openalpha.research.result import BacktestResult
    from openalpha.settings import LoadedSettings
    from openalpha.store.runs import StoredRun

__all__ = ["app", "set_taxpayer"]

app = typer.Typer()

# Said on every output of a run that was let through although it sees the future.
LOOKAHEAD_LINE = (
    "LOOK-AHEAD ALLOWED: this strategy sees the future; none of its figures can be traded."
)


WhatArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="STRATEGY [[ROLE=]ID]...",
        help="A name, or a .py file; instruments may also follow it.",
        show_default=False,
    ),
]
InstrumentOption = Annotated[
    list[str] | None,
    typer.Option(
        "--instrument",
        metavar="[ROLE=]ID",
        help="What to trade: bybit_linear:BTCUSDT, or by role: spot=bybit_spot:BTCUSDT; "
        "repeatable.",
    ),
]
TimeframeOption = Annotated[
    str, typer.Option("--timeframe", metavar="1h", help="Time frame; 1h, or what the file has.")
]
SinceOption = Annotated[
    str, typer.Option("--from", metavar="DATE", help="First bar, UTC; else the latest part.")
]
UntilOption = Annotated[
    str, typer.Option("--to", metavar="DATE", help="Bars before this moment, UTC.")
]
ParamOption = Annotated[
    list[str] | None,
    typer.Option("--param", metavar="NAME=VALUE", help="A strategy parameter; repeatable."),
]
CapitalOption = Annotated[
    str, typer.Option("--capital", metavar="AMOUNT", help="Starting balance.")
]
DataOption = Annotated[
    list[str] | None,
    typer.Option("--data", metavar="[ROLE=]FILE", help="Bars from a file; repeatable."),
]
HtmlOption = Annotated[
    Path | None, typer.Option("--html", metavar="FILE", help="Write the report as one HTML file.")
]
PdfOption = Annotated[
    Path | None, typer.Option("--pdf", metavar="FILE", help="Write the report as PDF.")
]
CsvOption = Annotated[
    Path | None, typer.Option("--csv", metavar="DIR", help="Write fills, equity … as CSV files.")
]
LookaheadOption = Annotated[
    bool, typer.Option("--allow-lookahead", help="Run even if the strategy sees the future.")
]
FamilyOption = Annotated[
    str, typer.Option("--family", metavar="NAME", help="Count the trial with this family, too.")
]

LedgerOption = Annotated[
    bool, typer.Option("--post-to-ledger", help="Post fills and cash effects to the books, too.")
]


@app.command()
def backtest(  # noqa: PLR0913, PLR0917 - the options of a command
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
    csv: CsvOption = None,
    allow_lookahead: LookaheadOption = False,
    family: FamilyOption = "",
    post_to_ledger: LedgerOption = False,
    settings: SetOption = None,
    config: ConfigOption = None,
    quiet: QuietOption = False,
) -> None:
    """Test a strategy on history, every cost counted."""
    from openalpha.cli.strategy import parse_pairs
    from openalpha.research.after_tax import slow_words

    screen = Screen(json_to, is_quiet=quiet)
    strategy, more = _strategy_of(what)
    wanted = parse_wanted([*(instrument or ()), *more], data or (), timeframe=timeframe)
    wanted = wanted.within(since, until)
    money = _money(capital)
    params = parse_pairs(param, "--param")
    loaded = read_settings(config, settings)
    result = _run(
        screen,
        loaded,
        strategy,
        wanted=wanted,
        run={
            "params": params,
            "capital": money,
            "allow_lookahead": allow_lookahead,
            "family": family,
        },
    )
    set_taxpayer(screen, result, loaded)
    slow = slow_words(result)
    if slow:
        screen.remark(slow)
    saved = _write(screen, result, loaded, html=html, pdf=pdf, csv=csv)
    if post_to_ledger:
        _post(screen, result, loaded, run_id=saved.id)


def _post(
    screen: Screen, result: "BacktestResult", loaded: "LoadedSettings", *, run_id: str
) -> None:
    from openalpha.books.opening import book_of
    from openalpha.cli.ledger_open import open_books
    from openalpha.engine.run import EngineRun
    from openalpha.research.posting import post_run

    run = result.run
    assert isinstance(run, EngineRun)
    book = book_of(result.context.environment, loaded.settings.books)
    most = len(run.effects) + len(run.fills)
    with (
        open_books(loaded) as books,
        screen.progress("posting to the ledger", most, unit="entries") as advance,
    ):
        posted = post_run(
            books,
            book,
            run=run,
            histories=result.context.histories,
            run_id=run_id,
            advance=advance,
        )
    screen.remark(f"{posted.added:,} entries posted to the book {book}, account {run_id}")


def set_taxpayer(screen: Screen, result: "BacktestResult", loaded: "LoadedSettings") -> None:
    """Let the after-tax line be that of the books' entity, by the rates the books know."""
    from openalpha.books.entities import profile_of
    from openalpha.books.opening import books_file
    from openalpha.cli.ledger_open import open_books
    from openalpha.research.after_tax import Taxpayer

    if not loaded.settings.books.database_url and not books_file(loaded.home).exists():
        return
    try:
        with open_books(loaded) as books:
            entity = loaded.settings.books.entity
            profile = profile_of(books.database, entity, clock=books.clock)
            rates = books.rates_of(entity)
    except OpenAlphaError as error:  # a run is shown whatever state the books are in
        screen.remark(f"the after-tax line knows nothing of the books: {error}")
    else:
        result.taxpayer = Taxpayer(profile, rates)


def _strategy_of(what: list[str]) -> tuple[str, list[str]]:
    """Tell the strategy from instruments typed as further values of `--instrument`."""
    instruments = [text for text in what if is_instrument(text)]
    names = [text for text in what if not is_instrument(text)]
    if len(names) != 1:
        given = ", ".join(names) if names else "none"
        raise InputError(
            f"one strategy is needed, given was {given}; `openalpha strategy list` shows them"
        )
    return names[0], instruments


def _money(text: str) -> Decimal:
    try:
        money = Decimal(text.replace("_", ""))
    except InvalidOperation:
        raise InputError(f"--capital was '{text}', expected an amount such as 10000") from None
    if not (money.is_finite() and money > 0):
        raise InputError(f"--capital was {text}, expected an amount above 0")
    return money


def _run(
    screen: Screen,
    loaded: "LoadedSettings",
    strategy: str,
    *,
    wanted: Wanted,
    run: dict[str, Any],
) -> "BacktestResult":
    from openalpha import api
    from openalpha.cli.kernel import compile_kernel
    from openalpha.settings import prepare_home
    from openalpha.strategy import build_params, load_strategy

    groups = loaded.settings
    # What was typed is judged before anything slow begins.
    cls = load_strategy(strategy, folder=loaded.home / "strategies")
    build_params(cls.Params, run["params"], strategy=cls.name)
    with screen.progress("reading history"):
        histories = histories_of(wanted, loaded, capital=run["capital"])
    prepare_home(loaded.home)
    compile_kernel(screen)
    with screen.progress("testing", 2) as advance:
        result = api.backtest(
            strategy,
            histories,
            **run,
            costs=groups.costs,
            sizing=groups.sizing,
            margin=groups.margin,
            fills=groups.fills,
            risk=groups.risk,
            home=loaded.home,
        )
        advance(what="measuring")
        _ = result.verdict
        advance()
    return result


def _write(
    screen: Screen,
    result: "BacktestResult",
    loaded: "LoadedSettings",
    *,
    html: Path | None,
    pdf: Path | None,
    csv: Path | None,
) -> "StoredRun":
    saved = result.save()
    if result.context.is_lookahead_allowed:
        _shout(LOOKAHEAD_LINE)
    if not screen.is_quiet and screen.json_to != "-":
        result.show()
    screen.remark(f"Run kept in {saved.path}")
    if html is not None:
        from openalpha.research.report import report_html

        write_text(html, report_html(result, loaded.settings.report))
        screen.remark(f"Report written to {html}")
    if pdf is not None:
        screen.remark(f"PDF written to {result.to_pdf(pdf)}")
    if csv is not None:
        names = ", ".join(path.name for path in result.to_csv(csv))
        screen.remark(f"Tables written to {csv}: {names}")
    if screen.json_to == "-":
        typer.echo(result.to_json())
    elif screen.json_to is not None:
        write_text(Path(screen.json_to), result.to_json() + "\n")
        screen.remark(f"JSON written to {screen.json_to}")
    return saved


def _shout(sentence: str) -> None:
    """Say a warning in red on stderr, even under --quiet."""
    typer.secho(sentence, err=True, fg=typer.colors.RED, bold=True)
