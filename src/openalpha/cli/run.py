"""`openalpha run`: lead strategies in an environment until they are stopped or the feed ends."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
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
from openalpha.cli.modes import refuse_run
from openalpha.core.errors import InputError

if TYPE_CHECKING:
    from openalpha.settings import LoadedSettings
    from openalpha.trading.feeds.feed import Feed
    from openalpha.trading.paper.driver import Driver
    from openalpha.trading.paper.starting import Asked
    from openalpha.trading.run.folder import RunFolder

__all__ = ["app", "asked_of", "lead_paper", "money_of"]

app = typer.Typer()

_EnvironmentOption = Annotated[
    str,
    typer.Option(
        "--env", metavar="ENV", help="Where it trades: paper, twin, demo, testnet or live."
    ),
]
_StrategyOption = Annotated[
    list[str] | None,
    typer.Option("--strategy", metavar="NAME", help="A name, or a .py file; repeatable."),
]
_InstrumentOption = Annotated[
    list[str] | None,
    typer.Option("--instrument", metavar="[ROLE=]ID", help="What to trade; repeatable."),
]
_ParamOption = Annotated[
    list[str] | None,
    typer.Option(
        "--param",
        metavar="[STRATEGY.]NAME=VALUE",
        help="A strategy parameter; repeatable.",
    ),
]
_ShareOption = Annotated[
    list[str] | None,
    typer.Option(
        "--share", metavar="STRATEGY=PART", help="Its part of the capital; else all the same."
    ),
]


@app.command()
def run(  # noqa: PLR0913, PLR0917 - the options of a command
    environment: _EnvironmentOption = "paper",
    strategy: _StrategyOption = None,
    instrument: _InstrumentOption = None,
    timeframe: Annotated[str, typer.Option(metavar="1m", help="Time frame of its bars.")] = "1h",
    feed: Annotated[
        str,
        typer.Option(
            metavar="FEED",
            help="Paper: lake (recorded bars, as fast as they are taken) or live (an exchange's "
            "prices); at a venue: live, or lockstep where a twin's clock is ours to move.",
        ),
    ] = "",
    since: Annotated[str, typer.Option("--from", metavar="DATE", help="First bar, UTC.")] = "",
    until: Annotated[
        str, typer.Option("--to", metavar="DATE", help="Bars before this moment, UTC.")
    ] = "",
    param: _ParamOption = None,
    share: _ShareOption = None,
    capital: Annotated[
        str, typer.Option(metavar="AMOUNT", help="Starting balance of the run.")
    ] = "10000",
    lasts: Annotated[
        str, typer.Option("--for", metavar="7d", help="On live prices: end after so long.")
    ] = "",
    resume: Annotated[
        str, typer.Option("--resume", metavar="RUN", help="Go on with a run that was not stopped.")
    ] = "",
    json_to: JsonOption = None,
    settings: SetOption = None,
    config: ConfigOption = None,
    quiet: QuietOption = False,
) -> None:
    """Lead strategies on live or replayed markets; every input and order is logged first."""
    screen = Screen(json_to, is_quiet=quiet)
    loaded = read_settings(config, settings)
    if resume:
        if strategy or instrument:
            raise InputError("--resume goes on with a run as it is; leave the other options out")
        folder = _opened(loaded, resume)
        refuse_run(loaded.settings.trading.mode, folder.environment.name.lower())
        folder.note_act("run.resume")
    else:
        asked = asked_of(strategy or (), param or (), share or ())
        typed = _Typed(
            environment, instrument or (), timeframe, feed, (since, until), capital, lasts
        )
        folder = _new(screen, loaded, asked, typed)
        folder.note_act("run.start", strategies=[one.ref for one in asked])
    from rich.markup import escape

    from openalpha.cli.status_page import page_of

    with _noted(folder), folder.held():
        screen.remark(f"Run {folder.id}: its log and tables are in {folder.path}")
        _lead(screen, loaded, folder)
    found = folder.status()
    screen.show(escape("\n".join(page_of(found, name=folder.id))))
    screen.remark(f"Run {folder.id} {found['mode']}: {found['why']}")
    screen.result({"schema": "openalpha.run/1", **found})


@contextmanager
def _noted(folder: "RunFolder") -> Iterator[None]:
    """Add to the audit trail how the leading of a run ended."""
    try:
        yield
    except BaseException as error:
        folder.note_act("run.left", why=str(error) or type(error).__name__)
        raise
    folder.note_act("run.end", why=folder.status().get("why", ""))


@dataclass(frozen=True, slots=True)
class _Typed:
    """What was typed of a new run beside its strategies."""

    environment: str
    instruments: Sequence[str]
    timeframe: str
    feed: str
    span: tuple[str, str]
    capital: str
    lasts: str


def _new(
    screen: Screen, loaded: "LoadedSettings", asked: "Sequence[Asked]", typed: _Typed
) -> "RunFolder":
    from openalpha.settings import prepare_home
    from openalpha.trading.safety.emergency_lock import refuse_if_locked

    refuse_run(loaded.settings.trading.mode, typed.environment)
    prepare_home(loaded.home)
    refuse_if_locked(loaded.home, typed.environment)
    if typed.environment == "paper" and not asked:
        raise InputError("nothing to run: add --strategy NAME (`openalpha strategy list`)")
    if typed.environment == "paper" and typed.feed == "live":
        from openalpha.cli.live_market import begin_live_paper

        return begin_live_paper(
            screen,
            loaded,
            asked,
            instruments=typed.instruments,
            timeframe=typed.timeframe,
            money=money_of(typed.capital),
            lasts=typed.lasts,
        )
    if typed.environment == "paper":
        _check_feed(typed.feed or "lake")
        return _begun(
            screen,
            loaded,
            asked,
            instruments=typed.instruments,
            span=(typed.timeframe, *typed.span),
            capital=typed.capital,
        )
    from openalpha.cli.run_venue import begin_at_venue

    return begin_at_venue(
        screen,
        loaded,
        asked,
        place=(typed.environment, typed.feed or "live"),
        instruments=typed.instruments,
        timeframe=typed.timeframe,
        money=money_of(typed.capital),
        lasts=typed.lasts,
    )


def _lead(screen: Screen, loaded: "LoadedSettings", folder: "RunFolder") -> None:
    if folder.feed()["kind"] == "venue":
        from openalpha.cli.run_venue import lead_at_venue

        lead_at_venue(screen, loaded, folder)
    else:
        lead_paper(screen, loaded, folder)


def lead_paper(screen: Screen, loaded: "LoadedSettings", folder: "RunFolder") -> "Driver":
    """Lead a paper run until it ends; a restart begins anew from its log."""
    from openalpha.cli.kernel import compile_kernel
    from openalpha.cli.ledger_open import open_books
    from openalpha.cli.run_venue import led
    from openalpha.core.clock import SystemClock
    from openalpha.trading.paper.starting import driver_of

    compile_kernel(screen)
    with open_books(loaded, is_for_run=True) as ledger, _fed(loaded, folder) as feed:
        while True:
            driver = driver_of(
                folder,
                loaded.home,
                feed=feed,
                ledger=ledger,
                entity=loaded.settings.books.entity,
                clock=SystemClock(),
                hear=screen.remark,
            )
            found = driver.start()
            if found.inputs:
                screen.remark(f"{found.inputs:,} inputs of the log were applied again")
            asyncio.run(led(driver))
            if not driver.is_restarting:
                return driver


@contextmanager
def _fed(loaded: "LoadedSettings", folder: "RunFolder") -> "Iterator[Feed]":
    """Yield the feed of a paper run."""
    from openalpha.engine.messages import settlements_of
    from openalpha.market.lake import Lake
    from openalpha.trading.feeds.feed import LakeFeed
    from openalpha.trading.feeds.tape_feed import TapeFeed
    from openalpha.trading.paper.starting import lake_histories, lake_tape

    if folder.feed()["kind"] == "live":
        from openalpha.cli.live_market import live_feed

        with live_feed(loaded, folder) as feed:
            yield feed
        return
    lake = Lake(loaded.home, settings=loaded.settings.data)
    if "messages" in folder.feed():
        tape = lake_tape(lake, folder)
        yield TapeFeed(tape, settlements_of(tape, folder.plan().settings))
        return
    yield LakeFeed(lake_histories(lake, folder))


def _check_feed(feed: str) -> None:
    if feed != "lake":
        raise InputError(f"--feed was '{feed}'; paper has lake (recorded bars) and live")


def _opened(loaded: "LoadedSettings", run_id: str) -> "RunFolder":
    from openalpha.trading.run.folder import open_live_run

    folder = open_live_run(loaded.home, run_id)
    folder.plan()
    if folder.status().get("mode") == "ended":
        raise InputError(
            f"run {folder.id} has ended ({folder.status().get('why', '')}); start a new one"
        )
    return folder


def _begun(
    screen: Screen,
    loaded: "LoadedSettings",
    asked: "Sequence[Asked]",
    *,
    instruments: Sequence[str],
    span: tuple[str, str, str],
    capital: str,
) -> "RunFolder":
    from openalpha.cli.backtest_data import histories_of, parse_wanted
    from openalpha.cli.paper_feed import paper_settings, recorded_feed, unheard
    from openalpha.core.clock import SystemClock
    from openalpha.trading.paper.starting import begin_paper_run
    from openalpha.trading.run.settings import Handling

    money = money_of(capital)
    wanted = parse_wanted(instruments, (), timeframe=span[0]).within(span[1], span[2])
    groups = loaded.settings
    with screen.progress("reading history"):
        histories = histories_of(wanted, loaded, capital=money, feed=groups.paper.feed)
        feed = recorded_feed(loaded, histories)
    folder = begin_paper_run(
        loaded.home,
        asked,
        histories=histories,
        capital=money,
        settings=paper_settings(loaded),
        clock=SystemClock(),
        feed=feed,
        handling=Handling(groups.allocation, groups.execution),
    )
    if groups.execution.algorithm != "none":
        screen.remark("paper fills every entry whole: execution.algorithm is for a venue")
    for words in unheard(folder.plan(), loaded.home / "strategies"):
        screen.remark(words)
    return folder


def asked_of(
    strategies: Sequence[str], params: Sequence[str], shares: Sequence[str]
) -> "list[Asked]":
    """Return the strategies that were asked for, each with its parameters and share.

    Raises
    ------
    InputError
        If a parameter or share names none of them, or is no number.
    """
    from openalpha.cli.strategy import parse_pairs
    from openalpha.trading.paper.starting import Asked

    parts = _by_strategy(parse_pairs(params, "--param"), strategies)
    given = {name: _part(name, text) for name, text in parse_pairs(shares, "--share").items()}
    unknown = set(given) - set(strategies)
    if unknown:
        raise InputError(f"--share {min(unknown)}=…: no such strategy is asked for")
    return [Asked(name, parts[name], given.get(name)) for name in strategies]


def _by_strategy(pairs: dict[str, str], strategies: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Split parameters by strategy; one without a strategy's name is for the only one."""
    found: dict[str, dict[str, Any]] = {name: {} for name in strategies}
    for key, value in pairs.items():
        whose, dot, name = key.rpartition(".")
        if not dot and len(strategies) == 1:
            whose, name = strategies[0], key
        if whose not in found:
            raise InputError(
                f"--param {key}=…: write STRATEGY.NAME=VALUE with one of {', '.join(strategies)}"
            )
        found[whose][name] = value
    return found


def _part(name: str, text: str) -> Decimal:
    try:
        return Decimal(text)
    except ArithmeticError:
        raise InputError(f"--share {name} was '{text}', expected a number such as 0.5") from None


def money_of(text: str) -> Decimal:
    """Return the capital as typed."""
    try:
        money = Decimal(text.replace("_", ""))
    except ArithmeticError:
        raise InputError(f"--capital was '{text}', expected an amount such as 10000") from None
    if not (money.is_finite() and money > 0):
        raise InputError(f"--capital was {text}, expected an amount above 0")
    return money
