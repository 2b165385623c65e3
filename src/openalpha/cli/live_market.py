"""A live market for `openalpha run`: bars pushed and asked for, kept in the lake."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from decimal import Decimal

    from openalpha.cli.conventions import Screen
    from openalpha.settings import LoadedSettings
    from openalpha.trading.feeds.feed import LiveFeed
    from openalpha.trading.feeds.live_bars import LiveBars
    from openalpha.trading.feeds.venue_market import Bars
    from openalpha.trading.paper.starting import Asked
    from openalpha.trading.run.folder import RunFolder
    from openalpha.venue.bybit.channel import Channel

__all__ = ["begin_live_paper", "live_feed", "listened"]

_TIMEOUT_S = 5.0


def begin_live_paper(
    screen: "Screen",
    loaded: "LoadedSettings",
    asked: "Sequence[Asked]",
    *,
    instruments: Sequence[str],
    timeframe: str,
    money: "Decimal",
    lasts: str,
) -> "RunFolder":
    """Make the folder of a paper run on an exchange's live prices.

    Raises
    ------
    InputError
        If what was asked for cannot be run.
    VenueUnavailable
        If the exchange does not answer.
    """
    from openalpha.cli.backtest_data import parse_wanted
    from openalpha.cli.paper_feed import paper_settings, unheard
    from openalpha.core.clock import SystemClock, parse_timeframe
    from openalpha.market.catalogue import instrument_for
    from openalpha.market.lake import Lake
    from openalpha.settings import prepare_home
    from openalpha.trading.feeds.venue_market import Bars
    from openalpha.trading.paper.live_starting import LiveTerms, past_of, public_server
    from openalpha.trading.paper.starting import begin_paper_run
    from openalpha.trading.run.settings import Handling
    from openalpha.trading.venue.preflight import check_rules

    groups = loaded.settings
    lake = Lake(loaded.home, settings=groups.data)
    sources = parse_wanted(instruments, (), timeframe=timeframe).sources
    items = {one.role or one.instrument: instrument_for(one.instrument, lake) for one in sources}
    timeframe_ms = parse_timeframe(timeframe)
    prepare_home(loaded.home)
    server = public_server(groups.feed.server)
    with _public(loaded, server) as channel:
        terms = LiveTerms(
            server,
            timeframe_ms,
            channel.earliest_ms(),
            parse_timeframe(lasts) if lasts else 0,
        )
        check_rules(channel, list(items.values()))
        bars = Bars(channel, list(items.values()), timeframe_ms)
        folder = begin_paper_run(
            loaded.home,
            asked,
            histories=past_of(bars, items, terms=terms),
            capital=money,
            settings=paper_settings(loaded),
            clock=SystemClock(),
            feed=terms.feed(),
            handling=Handling(groups.allocation, groups.execution),
        )
    screen.remark(f"The prices are those of {server}")
    for words in unheard(folder.plan(), loaded.home / "strategies"):
        screen.remark(words)
    return folder


@contextmanager
def live_feed(loaded: "LoadedSettings", folder: "RunFolder") -> "Iterator[LiveFeed]":
    """Yield the feed of a paper run on a live market, listening."""
    from openalpha.core.clock import SystemClock
    from openalpha.trading.feeds.feed import LiveFeed
    from openalpha.trading.paper.live_starting import span_of

    server = str(folder.feed()["server"])
    told = folder.plan().settings.venue.fills.feed
    with (
        _public(loaded, server) as channel,
        listened(loaded, folder, channel, told=told) as (asked, bars),
    ):
        yield LiveFeed(bars, asked, span=span_of(folder), clock=SystemClock())


@contextmanager
def listened(
    loaded: "LoadedSettings", folder: "RunFolder", channel: "Channel", *, told: str = "bars"
) -> "Iterator[tuple[Bars, LiveBars]]":
    """Yield a run's bars, asked for and pushed, while they are listened to and recorded.

    Parameters
    ----------
    told : str
        What the run is told beside bars: trades, or trades and the book.
    """
    from openalpha.core.clock import SystemClock
    from openalpha.market.lake import Lake
    from openalpha.market.recording import Recorder
    from openalpha.trading.feeds.live_bars import LiveBars
    from openalpha.trading.feeds.recording import TOPICS, LiveRecording
    from openalpha.trading.feeds.venue_market import Bars

    plan, terms = folder.plan(), loaded.settings.feed
    asked = Bars(channel, plan.instruments, plan.timeframe_ms)
    recording = None
    with ExitStack() as stack:
        if terms.record != "none":
            lake = Lake(loaded.home, settings=loaded.settings.data)
            recorder = Recorder(lake, source=f"live feed of {channel.host}")
            recording = LiveRecording(
                recorder,
                plan.instruments,
                timeframe_ms=plan.timeframe_ms,
                server=channel.url,
                clock=SystemClock(),
            )
            recording.again(folder)
            recorder.start()
            stack.callback(recorder.close)
        bars = LiveBars(
            asked,
            plan.instruments,
            url=channel.url,
            bar_timeout_ms=terms.bar_timeout_ms,
            recording=recording,
            topics=TOPICS[terms.record],
            told=told,
        )
        bars.start()
        stack.callback(bars.close)
        yield asked, bars


@contextmanager
def _public(loaded: "LoadedSettings", server: str) -> "Iterator[Channel]":
    """Yield a channel for what everybody may ask, counted in the home's budget."""
    from openalpha.cli.exchange_access import broker_of
    from openalpha.core.clock import SystemClock
    from openalpha.net import HttpTransport, Priority
    from openalpha.venue.bybit.channel import Channel

    with HttpTransport(timeout_s=_TIMEOUT_S, total_s=2 * _TIMEOUT_S) as network:
        redis_url = loaded.settings.exchange.redis_url.get_secret_value()
        broker = broker_of(loaded.home, redis_url=redis_url)
        yield Channel(network, server, clock=SystemClock(), broker=broker, priority=Priority.DATA)
