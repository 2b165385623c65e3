"""`openalpha run` at a venue: the account's key, the venue's time, and the driver of the run."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

from openalpha.cli.conventions import Screen
from openalpha.cli.exchange_access import broker_of, in_words, trader_facts, trader_key
from openalpha.core.errors import InputError, OpenAlphaError, VenueUnavailable

if TYPE_CHECKING:
    from openalpha.net import Transport
    from openalpha.settings import LoadedSettings
    from openalpha.store.exchange_key import ExchangeKey
    from openalpha.trading.feeds.live_bars import LiveBars
    from openalpha.trading.feeds.venue_market import VenueClock
    from openalpha.trading.paper.driver import Driver
    from openalpha.trading.paper.starting import Asked
    from openalpha.trading.run.folder import RunFolder
    from openalpha.trading.venue.driver import VenueDriver
    from openalpha.trading.venue.starting import VenueAccess
    from openalpha.venue.bybit.trade_line import TradeLine

    Hear = Callable[[str], None]

__all__ = ["begin_at_venue", "lead_at_venue", "led"]

_TIMEOUT_S = 5.0
_LOCKSTEP_TIMEOUT_S = 60.0
"""A twin that is told to move its clock moves its market before it answers."""


def begin_at_venue(
    screen: Screen,
    loaded: "LoadedSettings",
    asked: "Sequence[Asked]",
    *,
    place: tuple[str, str],
    instruments: Sequence[str],
    timeframe: str,
    money: Decimal,
    lasts: str,
) -> "RunFolder":
    """Make the folder of a run at a venue.

    Parameters
    ----------
    place : (environment, feed)
        As typed; the feed is live or lockstep.

    Raises
    ------
    InputError
        If what was asked for cannot be run.
    """
    from openalpha.books.accounts import environment_of
    from openalpha.core.clock import parse_timeframe
    from openalpha.engine.run import VenueSettings
    from openalpha.engine.signals import EngineSettings
    from openalpha.market.catalogue import instrument_for
    from openalpha.market.lake import Lake
    from openalpha.net import HttpTransport
    from openalpha.trading.run.settings import Handling
    from openalpha.trading.venue.starting import VenueTerms, begin_venue_run, venue_clock

    environment, feed = place
    _check(environment, feed)
    if not instruments:
        raise InputError("nothing to trade: add --instrument bybit_linear:BTCUSDT")
    key = trader_key(loaded, environment)
    lake = Lake(loaded.home, settings=loaded.settings.data)
    groups = loaded.settings
    timeout_s = _LOCKSTEP_TIMEOUT_S if feed == "lockstep" else _TIMEOUT_S
    with HttpTransport(timeout_s=timeout_s, total_s=2 * timeout_s) as network:
        return begin_venue_run(
            loaded.home,
            asked,
            instruments=[instrument_for(name, lake) for name in instruments],
            terms=VenueTerms(
                environment_of(environment),
                parse_timeframe(timeframe),
                money,
                parse_timeframe(lasts) if lasts else 0,
                groups.limits,
                groups.breakers,
                Handling(groups.allocation, groups.execution),
            ),
            settings=EngineSettings(
                VenueSettings(groups.costs, groups.margin, groups.fills), groups.sizing, groups.risk
            ),
            clock=venue_clock(network, key, is_lockstep=feed == "lockstep"),
        )


def lead_at_venue(screen: Screen, loaded: "LoadedSettings", folder: "RunFolder") -> None:
    """Lead a run at a venue until it ends; a restart begins anew from its log."""
    from openalpha.cli.alert_port import Announcer, alerts_of
    from openalpha.cli.emergency_act import stop_act
    from openalpha.cli.kernel import compile_kernel
    from openalpha.cli.ledger_open import open_books
    from openalpha.core.clock import SystemClock
    from openalpha.net import HttpTransport
    from openalpha.trading.run.incidents import IncidentBook
    from openalpha.trading.run.lease import take_lease
    from openalpha.trading.safety.emergency_post import SafetyPost
    from openalpha.trading.venue.starting import VenueAccess, venue_clock, venue_driver

    key = trader_key(loaded, folder.environment.name.lower())
    waits = _waits_after_restart(loaded, folder, key)
    compile_kernel(screen)
    is_lockstep, environment = bool(folder.feed()["lockstep"]), folder.environment.name.lower()
    timeout_s = _LOCKSTEP_TIMEOUT_S if is_lockstep else _TIMEOUT_S
    post = SafetyPost(loaded.home, environment, stop_act(loaded.home, environment))
    post.start()
    alerts = alerts_of(loaded.settings.alerts, loaded.home, environment=environment)
    hear = Announcer(screen.remark, alerts, environment)
    with (
        closing(post),
        closing(alerts),
        _told_if_left(folder, hear),
        open_books(loaded, is_for_run=True) as ledger,
        HttpTransport(timeout_s=timeout_s, total_s=2 * timeout_s) as network,
        take_lease(
            loaded.home,
            folder.environment,
            account=_known(loaded, environment, network, hear),
            run_id=folder.id,
            now_ms=SystemClock().now_ms(),
        ),
        ExitStack() as stack,
    ):
        clock = venue_clock(network, key, is_lockstep=is_lockstep)
        redis_url = loaded.settings.exchange.redis_url.get_secret_value()
        broker = None if is_lockstep else broker_of(loaded.home, redis_url=redis_url)
        line = None if is_lockstep else stack.enter_context(_order_line(loaded, folder, key))
        access = VenueAccess(network, key, clock, broker, line)
        market = None if is_lockstep else stack.enter_context(_market(loaded, folder, access))
        watches_dcp = loaded.settings.guardian.dcp_window_s > 0
        while True:
            driver = venue_driver(
                folder,
                loaded.home,
                access=access,
                market=market,
                ledger=ledger,
                entity=loaded.settings.books.entity,
                hear=hear,
            )
            driver.post, driver.halts_restarts = post, waits
            driver.incident_book = IncidentBook(loaded.home, folder.environment)
            driver.curves = partial(_curves, loaded, folder, clock)
            hear(f"a run begins, or goes on after a restart: {folder.id}")
            with _listening(driver, key, market, watches_dcp=watches_dcp):
                if not _lead_once(screen, driver):
                    return post.end(SystemClock().now_ms())


@contextmanager
def _told_if_left(folder: "RunFolder", hear: "Hear") -> "Iterator[None]":
    """Tell people that a run which had begun is led by nobody; of one refused its person hears."""
    is_another_s = folder.is_led()
    try:
        yield
    except Exception as error:
        if folder.status() and not is_another_s:
            why = error if isinstance(error, OpenAlphaError) else f"a fault, {type(error).__name__}"
            hear(f"a run is led no more: {folder.id}: {why}")
        raise


async def led(driver: "Driver | VenueDriver") -> None:
    """Lead a run until it ends; Ctrl-C and SIGTERM are a STOP."""
    from openalpha.trading.run.commands import Command

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        name = signal.Signals(number).name
        loop.add_signal_handler(number, driver.command, Command("STOP", name))
    await driver.lead()


def _lead_once(screen: Screen, driver: "VenueDriver") -> bool:
    """Lead a run until it ends or begins anew; returns whether it begins anew."""
    count = driver.start()
    if count:
        screen.remark(f"{count:,} inputs of the log were applied again")
    asyncio.run(led(driver))
    return driver.is_restarting


def _waits_after_restart(loaded: "LoadedSettings", folder: "RunFolder", key: "ExchangeKey") -> bool:
    """Refuse what needs to be armed and is not; return whether a restart waits for a person."""
    from openalpha.core.clock import SystemClock
    from openalpha.risk.limits import limits_of
    from openalpha.strategy import load_strategy
    from openalpha.trading.safety.arming import Terms, require_armed
    from openalpha.trading.safety.arming_codes import Codes

    plan, strategies = folder.plan(), loaded.home / "strategies"
    terms = Terms.of(
        folder.environment.name.lower(),
        key,
        limits=limits_of(plan.settings.risk, plan.limits),
        breakers=plan.breakers,
        settings=plan.settings,
        strategies=[
            (load_strategy(part.ref, folder=strategies).name, part.source_hash, part.params)
            for part in plan.strategies
        ],
        handling=plan.handling,
    )
    armed = require_armed(
        loaded.home,
        terms,
        codes=Codes(loaded.home, environ=os.environ),
        now_ms=SystemClock().now_ms(),
        environ=os.environ,
    )
    return armed is not None and not armed.terms.resume_after_restart


def _curves(
    loaded: "LoadedSettings", folder: "RunFolder", clock: "VenueClock"
) -> dict[str, list[int]]:
    """Return the usual volume of the day of a run's instruments, of those the lake has days of."""
    from openalpha.market.lake import Lake
    from openalpha.market.volume_curve import volume_curve

    plan, lake = folder.plan(), Lake(loaded.home, settings=loaded.settings.data)
    days, now_ms = plan.handling.execution.curve_days, clock.now_ms()
    names = [str(item.id) for item in plan.instruments]
    found = {name: volume_curve(lake, name, days=days, until_ms=now_ms) for name in names}
    return {name: curve for name, curve in found.items() if curve is not None}


@contextmanager
def _market(
    loaded: "LoadedSettings", folder: "RunFolder", access: "VenueAccess"
) -> "Iterator[LiveBars]":
    """Yield the run's bars as they close, listened to and recorded."""
    from openalpha.cli.live_market import listened
    from openalpha.net import Priority
    from openalpha.strategy import load_strategy
    from openalpha.trading.venue.seen_market import heard_by

    strategies = loaded.home / "strategies"
    told = heard_by(load_strategy(part.ref, folder=strategies) for part in folder.plan().strategies)
    with listened(loaded, folder, access.channel(Priority.DATA), told=told) as (_, bars):
        yield bars


@contextmanager
def _order_line(
    loaded: "LoadedSettings", folder: "RunFolder", key: "ExchangeKey"
) -> "Iterator[TradeLine | None]":
    """Yield the trade socket, kept open; None where orders are calls."""
    from openalpha.core.clock import SystemClock
    from openalpha.core.messages import Environment
    from openalpha.venue.bybit import trade_line

    has_socket = folder.environment is not Environment.DEMO
    if loaded.settings.exchange.order_line != "socket" or not has_socket:
        yield None
        return
    line = trade_line.TradeLine(key, clock=SystemClock())
    line.start()
    try:
        yield line
    finally:
        line.close()


@contextmanager
def _listening(
    driver: "VenueDriver", key: "ExchangeKey", market: "LiveBars | None", *, watches_dcp: bool
) -> "Iterator[None]":
    """Hear what the venue pushes of account and market; in lock-step it is asked, in one order."""
    from openalpha.core.clock import SystemClock
    from openalpha.trading.bybit.pushes import PrivatePushes

    if market is None:
        yield
        return
    pushes = PrivatePushes(key, clock=SystemClock(), watches_dcp=watches_dcp)
    driver.pushes = [pushes, market]
    pushes.on_news = driver.turns.wake
    driver.turns.attend(market)
    pushes.start()
    try:
        yield
    finally:
        pushes.close()


def _check(environment: str, feed: str) -> None:
    from openalpha.trading.safety.arming import refuse_live_here

    refuse_live_here(environment, environ=os.environ)
    feeds = ("live", "lockstep") if environment == "twin" else ("live",)
    if feed not in feeds:
        raise InputError(f"--feed was '{feed}'; {environment} has {' and '.join(feeds)}")


def _known(loaded: "LoadedSettings", environment: str, network: "Transport", hear: "Hear") -> str:
    """Return the account the key is of, after the exchange was asked what the key may do."""
    try:
        facts = trader_facts(loaded, environment, network=network)
    except VenueUnavailable as error:
        cure = "is `openalpha twin` running?" if environment == "twin" else "try again later"
        raise VenueUnavailable(f"{error}; {cure}") from None
    hear(in_words(facts))
    return facts.uid
