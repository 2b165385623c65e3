"""Turns what a person asked for into a run at a venue, and its plan into a driver."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from openalpha.books.accounts import Book
from openalpha.books.ledger import Ledger
from openalpha.core.clock import timeframe_name
from openalpha.core.instruments import Instrument
from openalpha.core.messages import Environment
from openalpha.engine.signals import EngineSettings
from openalpha.net import Priority, RateBroker, Transport
from openalpha.risk.settings import BreakerSettings, LimitSettings
from openalpha.store.exchange_key import ExchangeKey
from openalpha.strategy import load_strategy, source_hash
from openalpha.strategy.params import build_params
from openalpha.trading.bybit.executor import Executor
from openalpha.trading.feeds.venue_market import Bars, LockstepClock, VenueClock, WallClock
from openalpha.trading.paper.live_starting import WARM_ROWS
from openalpha.trading.paper.starting import Asked, named_apart, shares_of
from openalpha.trading.run.folder import RunFolder, begin_run
from openalpha.trading.run.plan import RunPlan, StrategyPlan, under_live_limits
from openalpha.trading.run.settings import Handling
from openalpha.trading.venue.desk import VenueDesk
from openalpha.trading.venue.driver import Market, VenueDriver
from openalpha.trading.venue.posting import VenuePoster
from openalpha.trading.venue.preflight import check_account
from openalpha.venue.bybit.channel import Channel
from openalpha.venue.bybit.trade_line import TradeLine

__all__ = ["VenueAccess", "VenueTerms", "begin_venue_run", "venue_clock", "venue_driver"]


@dataclass(frozen=True, slots=True)
class VenueTerms:
    """Where a run trades, on which bars, with how much, and how long.

    `lasts_ms` counts the venue's time; 0: until it is stopped.
    """

    environment: Environment
    timeframe_ms: int
    capital: Decimal
    lasts_ms: int = 0
    limits: LimitSettings = field(default_factory=LimitSettings)
    breakers: BreakerSettings = field(default_factory=BreakerSettings)
    handling: Handling = field(default_factory=Handling)


@dataclass(frozen=True, slots=True)
class VenueAccess:
    """How a run reaches its venue.

    Parameters
    ----------
    transport : Transport
    key : ExchangeKey
    clock : VenueClock
    broker : RateBroker or None
        Which all programs of the home share; None in lock-step, where nothing is counted.
    line : TradeLine or None
        Where orders go out; None: they are calls.
    """

    transport: Transport
    key: ExchangeKey
    clock: VenueClock
    broker: RateBroker | None = None
    line: TradeLine | None = None

    def channel(self, priority: Priority) -> Channel:
        """Return a channel whose calls are for something."""
        return Channel(
            self.transport, self.key, clock=self.clock, broker=self.broker, priority=priority
        )


def begin_venue_run(
    home: Path,
    asked: Sequence[Asked],
    *,
    instruments: Sequence[Instrument],
    terms: "VenueTerms",
    settings: EngineSettings,
    clock: VenueClock,
) -> RunFolder:
    """Check what was asked for and make the folder of a run at a venue.

    As many strategies as instruments: the n-th trades the n-th. Else each trades all of them.

    Parameters
    ----------
    terms : VenueTerms
    clock : VenueClock
        Of the venue.

    Raises
    ------
    InputError
        If a strategy, a parameter, an instrument or a setting cannot be used.
    """
    every = tuple(range(len(instruments)))
    pairs = len(asked) > 1 and len(asked) == len(instruments)
    shares = shares_of(asked)
    parts = [
        _part(home, one, instruments, (number,) if pairs else every, share)
        for number, (one, share) in enumerate(zip(asked, shares, strict=True))
    ]
    plan = RunPlan(
        terms.environment,
        terms.timeframe_ms,
        terms.capital,
        tuple(instruments),
        tuple(named_apart(parts)),
        under_live_limits(settings),
        tuple(False for _ in instruments),
        tuple(False for _ in instruments),
        terms.limits,
        terms.breakers,
        terms.handling,
    )
    VenueDesk(plan, run_id="", folder=home / "strategies")
    now_ms = clock.now_ms()
    feed = {
        "kind": "venue",
        "timeframe": timeframe_name(terms.timeframe_ms),
        "lockstep": clock.is_lockstep,
        "since_ms": now_ms // terms.timeframe_ms * terms.timeframe_ms,
        "end_ms": now_ms + terms.lasts_ms if terms.lasts_ms else 0,
    }
    return begin_run(home, plan, feed=feed, created_ms=now_ms)


def venue_clock(transport: Transport, key: ExchangeKey, *, is_lockstep: bool) -> VenueClock:
    """Return the time a run at a venue lives by."""
    return LockstepClock(transport, key.url) if is_lockstep else WallClock()


def venue_driver(
    folder: RunFolder,
    home: Path,
    *,
    access: VenueAccess,
    ledger: Ledger | None,
    entity: str,
    hear: Callable[[str], None],
    market: Market | None = None,
) -> VenueDriver:
    """Return the driver of a run at a venue, its account compared with the plan, not started yet.

    Parameters
    ----------
    access : VenueAccess
    market : Market, optional
        Where closed bars come from; the venue is asked for them by default.

    Raises
    ------
    InputError
        If the account is not what the run needs; the sentence names each difference.
    VenueUnavailable
        If the venue does not answer.
    """
    plan = folder.plan()
    channel = access.channel(Priority.ORDERS)
    is_new = not folder.log.is_dir()
    check_account(channel, plan, is_new=is_new, hear=hear)
    poster = None
    if ledger is not None:
        book = Book(plan.environment, entity)
        poster = VenuePoster(ledger, book, run_id=folder.id, instruments=plan.instruments)
    bars = Bars(channel, plan.instruments, plan.timeframe_ms)
    driver = VenueDriver(
        folder,
        VenueDesk(plan, run_id=folder.id, folder=home / "strategies"),
        carrier=Executor(channel, line=access.line),
        market=market or bars,
        clock=access.clock,
        poster=poster,
        end_ms=int(folder.feed()["end_ms"]),
        hear=hear,
    )
    since_ms = int(folder.feed()["since_ms"])
    anchor_ms = since_ms - WARM_ROWS * plan.timeframe_ms
    driver.watch = bars.news
    driver.past = lambda: bars.closed(anchor_ms - 1, since_ms)
    return driver


def _part(
    home: Path,
    one: Asked,
    instruments: Sequence[Instrument],
    numbers: tuple[int, ...],
    share: Decimal,
) -> StrategyPlan:
    cls: Any = load_strategy(one.ref, folder=home / "strategies")
    params = build_params(cls.Params, one.params, strategy=cls.name)
    ref = str(Path(one.ref).absolute()) if one.ref.endswith(".py") else one.ref
    return StrategyPlan(
        name=cls.name,
        ref=ref,
        params=dict(params.model_dump(mode="json")),
        source_hash=source_hash(cls),
        numbers=numbers,
        keys=tuple(str(instruments[number].id) for number in numbers),
        share=share,
    )
