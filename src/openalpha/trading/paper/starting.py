"""Turns what a person asked for into the plan of a run, and a plan into a driver."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from openalpha.books.accounts import Book
from openalpha.books.ledger import Ledger
from openalpha.core.clock import Clock, parse_timeframe, timeframe_name
from openalpha.core.errors import DataError, InputError
from openalpha.core.messages import Environment
from openalpha.engine.signals import EngineSettings
from openalpha.market.history import History
from openalpha.market.lake import Lake
from openalpha.market.tape import Tape, recorded_history, tape_of
from openalpha.strategy import load_strategy, prove, source_hash
from openalpha.strategy.base import PortfolioStrategy
from openalpha.strategy.params import build_params
from openalpha.trading.feeds.feed import Feed
from openalpha.trading.paper.desk import Desk
from openalpha.trading.paper.driver import Driver
from openalpha.trading.paper.posting import Poster
from openalpha.trading.run.folder import RunFolder, begin_run
from openalpha.trading.run.plan import RunPlan, StrategyPlan, under_live_limits
from openalpha.trading.run.settings import Handling

__all__ = [
    "Asked",
    "begin_paper_run",
    "driver_of",
    "lake_histories",
    "lake_tape",
    "named_apart",
    "shares_of",
    "tape_feed",
]


@dataclass(frozen=True, slots=True)
class Asked:
    """One strategy as a person asked for it; without a share the rest is split evenly."""

    ref: str
    params: Mapping[str, Any] = field(default_factory=dict)
    share: Decimal | None = None


def begin_paper_run(
    home: Path,
    asked: Sequence[Asked],
    *,
    histories: Mapping[str, History],
    capital: Decimal,
    settings: EngineSettings,
    clock: Clock,
    feed: Mapping[str, Any] | None = None,
    handling: Handling | None = None,
) -> RunFolder:
    """Check what was asked for and make the folder of a paper run.

    Each strategy trades every instrument, in a sub-book of its own. The live profile's limits are
    in force. Every strategy is proven not to see the future first.

    Parameters
    ----------
    histories : mapping of role or instrument id to History
        What is traded on; with `feed`, what came before it.
    feed : mapping, optional
        What the record says of where the bars come from; recorded bars by default.
    handling : Handling, optional
        How the strategies share the money; never moved by default.

    Raises
    ------
    InputError
        If a strategy, a parameter or a setting cannot be used.
    LookAheadError
        If a strategy sees the future.
    """
    plan = _plan(home, asked, histories, capital=capital, settings=settings)
    plan = plan if handling is None else replace(plan, handling=handling)
    Desk(plan, folder=home / "strategies")  # what cannot be led is refused before a folder is made
    feed = _lake_feed(histories) if feed is None else feed
    return begin_run(home, plan, feed=feed, created_ms=clock.now_ms())


def _lake_feed(histories: Mapping[str, History]) -> dict[str, Any]:
    first = next(iter(histories.values()))
    return {
        "kind": "lake",
        "timeframe": timeframe_name(first.timeframe_ms),
        "from_ms": min(int(history.ts_ms[0]) for history in histories.values()),
        "to_ms": max(history.end_ms for history in histories.values()),
        "fingerprints": {str(h.instrument.id): h.fingerprint for h in histories.values()},
        "notes": [f"{h.instrument.id}: {note}" for h in histories.values() for note in h.notes],
    }


def tape_feed(tape: Tape, feed: str) -> dict[str, Any]:
    """Return what a run's record says of recorded messages it is led by.

    Parameters
    ----------
    feed : str
        trades or book.
    """
    history = tape.history
    found = _lake_feed({str(history.instrument.id): history})
    return found | {"messages": feed, "tape": tape.fingerprint}


def lake_tape(lake: Lake, folder: RunFolder) -> Tape:
    """Read the recorded messages of a run again.

    Raises
    ------
    DataError
        If the lake no longer has what the run began with.
    """
    feed = folder.feed()
    has_depth = feed["messages"] == "book"
    history = recorded_history(
        lake,
        next(iter(feed["fingerprints"])),
        timeframe_ms=parse_timeframe(feed["timeframe"]),
        span=(feed["from_ms"], feed["to_ms"]),
        with_depth=has_depth,
    )
    tape = tape_of(lake, history, with_depth=has_depth)
    if tape.fingerprint != feed["tape"]:
        raise _changed(str(history.instrument.id), folder)
    return tape


def _changed(name: str, folder: RunFolder) -> DataError:
    return DataError(
        f"{name} in the lake is no longer what run {folder.id} began with; a run goes on "
        "with the same market or not at all: start a new one"
    )


def lake_histories(lake: Lake, folder: RunFolder) -> list[History]:
    """Read the recorded bars of a run again.

    Raises
    ------
    DataError
        If the lake no longer has what the run began with.
    """
    feed = folder.feed()
    found = []
    for name, fingerprint in feed["fingerprints"].items():
        span = {"start_ms": feed["from_ms"], "end_ms": feed["to_ms"]}
        history = lake.load(name, feed["timeframe"], **span)
        if history.fingerprint != fingerprint:
            raise _changed(name, folder)
        found.append(history)
    return found


def driver_of(
    folder: RunFolder,
    home: Path,
    *,
    feed: Feed,
    ledger: Ledger | None,
    entity: str,
    clock: Clock,
    hear: Callable[[str], None],
) -> Driver:
    """Return the driver of a paper run, not started yet."""
    desk = Desk(folder.plan(), folder=home / "strategies")
    poster = None
    if ledger is not None:
        poster = Poster(ledger, Book(folder.environment, entity), desk=desk, run_id=folder.id)
    return Driver(folder, desk, poster=poster, feed=feed, clock=clock, hear=hear)


def _plan(
    home: Path,
    asked: Sequence[Asked],
    histories: Mapping[str, History],
    *,
    capital: Decimal,
    settings: EngineSettings,
) -> RunPlan:
    if settings.venue.fills.path == "refine":
        raise InputError("paper trading steps on closed bars or messages: set fills.path = adverse")
    every = list(histories.values())
    shares = shares_of(asked)
    parts = [
        _strategy_plan(home, one, histories, share=share)
        for one, share in zip(asked, shares, strict=True)
    ]
    return RunPlan(
        Environment.PAPER,
        every[0].timeframe_ms,
        capital,
        tuple(history.instrument for history in every),
        tuple(named_apart(parts)),
        under_live_limits(settings),
        tuple(history.mark is not None for history in every),
        tuple(history.index is not None for history in every),
    )


def _strategy_plan(
    home: Path, one: Asked, histories: Mapping[str, History], *, share: Decimal
) -> StrategyPlan:
    cls: Any = load_strategy(one.ref, folder=home / "strategies")
    params = build_params(cls.Params, one.params, strategy=cls.name)
    keys = tuple(histories)
    if issubclass(cls, PortfolioStrategy) and cls.roles and len(keys) < len(cls.roles):
        raise InputError(
            f"{cls.name} trades {', '.join(cls.roles)}; name them: --instrument ROLE=ID"
        )
    prove(cls, dict(histories), params=params, cache=home / "cache" / "proofs").raise_if_found()
    ref = one.ref
    if ".py" in ref:
        path, dot_py, rest = ref.partition(".py")
        ref = str(Path(path + dot_py).absolute()) + rest
    return StrategyPlan(
        name=cls.name,
        ref=ref,
        params=dict(params.model_dump(mode="json")),
        source_hash=source_hash(cls),
        numbers=tuple(range(len(keys))),
        keys=keys,
        share=share,
    )


def shares_of(asked: Sequence[Asked]) -> list[Decimal]:
    """Return each strategy's share; those that ask for none split what is left."""
    given = sum((one.share for one in asked if one.share is not None), Decimal(0))
    rest = [one for one in asked if one.share is None]
    even = (1 - given) / len(rest) if rest else Decimal(0)
    # Whole millionths, rounded down: shares never add up to more than all there is.
    even = Decimal(int(even * 1_000_000)) / 1_000_000
    return [even if one.share is None else one.share for one in asked]


def named_apart(parts: Sequence[StrategyPlan]) -> list[StrategyPlan]:
    """Return the parts with names of their own: a second `dca` is `dca-2`."""
    seen: dict[str, int] = {}
    named = []
    for part in parts:
        seen[part.name] = seen.get(part.name, 0) + 1
        count = seen[part.name]
        named.append(part if count == 1 else replace(part, name=f"{part.name}-{count}"))
    return named
