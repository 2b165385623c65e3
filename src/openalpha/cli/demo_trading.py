"""The trading part of the demo: a twin, three strategies on it and in paper, and what is equal."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from openalpha.cli.conventions import Screen

if TYPE_CHECKING:
    from openalpha.books.ledger import Ledger
    from openalpha.market.history import History
    from openalpha.net import Request, Response, Transport
    from openalpha.settings import LoadedSettings
    from openalpha.store.exchange_key import ExchangeKey
    from openalpha.trading.run.folder import RunFolder
    from openalpha.trading.venue.state import Reconciled
    from openalpha.venue.bybit.channel import Channel
    from openalpha.venue.twin import Exchange

__all__ = ["show_trading"]

DAYS = 21
_HOUR_MS = 3_600_000
_START_MS = 1_704_067_200_000
_STEP_MS = 600_000
_CAPITAL = Decimal(30_000)
# Chosen before any result was seen.
_TRADED: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("ma_cross", {"fast": 8, "slow": 24}, "bybit_linear:BTCUSDT"),
    ("rsi_reversion", {}, "bybit_linear:ETHUSDT"),
    ("breakout", {}, "bybit_linear:SOLUSDT"),
)


@dataclass(frozen=True, slots=True)
class _Venue:
    """A twin that is served, and how the account on it is spoken to."""

    transport: "Transport"
    key: "ExchangeKey"


def show_trading(screen: Screen, loaded: "LoadedSettings", *, seed: int) -> dict[str, Any]:
    """Trade three weeks at a twin, then in paper and as a backtest on its bars; compare all.

    Returns
    -------
    dict
        What the demo's JSON says of it.
    """
    from openalpha.cli.ledger_open import open_books
    from openalpha.trading.analysis.replay import replay

    screen.remark(f"Trading {DAYS} days at the twin, a synthetic exchange on this machine")
    with open_books(loaded) as ledger:
        with _twin(seed) as venue:
            at_twin, reconciled, histories = _traded(screen, loaded, venue, ledger)
        paper, checks = _papered(loaded, at_twin, histories, ledger)
    rows = [_row(number, at_twin, paper, loaded, histories) for number in range(len(_TRADED))]
    verdicts = {folder.id: replay(folder) for folder in (at_twin, paper)}
    _show(screen, rows)
    is_equal = all(row["paper"] == row["backtest"] for row in rows)
    for folder, verdict in zip((at_twin, paper), verdicts.values(), strict=True):
        what = "the same, to the byte" if verdict.is_same else f"{verdict.count} DIFFER"
        outputs = sum(verdict.same.values())
        screen.show(
            f"Replay of the {folder.environment.name.lower()} run: {verdict.inputs:,} inputs in, "
            f"{outputs:,} outputs {what}."
        )
    told = "; ".join((*reconciled.cash, *reconciled.positions))
    screen.show(f"Twin: ledger, run and exchange {told or 'agree to the last unit'}.")
    screen.show(
        f"Paper: {'equals its backtest to the last unit' if is_equal else 'DIFFERS'}; "
        f"ledger compared {checks} times."
    )
    return {
        "rows": rows,
        "replay": {name: verdict.is_same for name, verdict in verdicts.items()},
        "reconciliation": {"cash": reconciled.cash, "positions": reconciled.positions},
        "is_paper_equal": is_equal,
    }


@contextmanager
def _twin(seed: int) -> "Iterator[_Venue]":
    """Open a twin of three markets in lock-step, with one account on it."""
    from openalpha.core.clock import ManualClock
    from openalpha.store.exchange_key import ExchangeKey
    from openalpha.venue.twin import Exchange, ListingSpec, TwinSettings

    listings = (
        ListingSpec("linear", "BTCUSDT", Decimal(60_000)),
        ListingSpec("linear", "ETHUSDT", Decimal(3_000), Decimal("0.75"), Decimal(30_000)),
        ListingSpec("linear", "SOLUSDT", Decimal(150), Decimal("0.9"), Decimal(15_000)),
    )
    settings = TwinSettings(
        seed=seed, listings=listings, step_ms=_STEP_MS, levels=50, backfill_days=0
    )
    exchange: Exchange = Exchange(settings, ManualClock(_START_MS))
    exchange.limits.is_lifted = True
    _, api_key, secret = exchange.add_account(USDT=str(_CAPITAL))
    yield _Venue(_InProcess(exchange), ExchangeKey(api_key, secret, "http://127.0.0.1:1"))


class _InProcess:
    """Carries requests to a twin in this process: its protocol, without a socket between."""

    def __init__(self, exchange: "Exchange") -> None:
        self._exchange = exchange

    def send(self, request: "Request") -> "Response":
        """Return the twin's answer."""
        from urllib.parse import urlsplit

        from openalpha.net import Response
        from openalpha.venue.twin import Request as TwinRequest

        url = urlsplit(request.url)
        headers = {name.lower(): value for name, value in request.headers.items()}
        reply = self._exchange.request(
            TwinRequest(request.method, url.path, url.query, request.body, headers)
        )
        return Response(reply.status, {k.lower(): v for k, v in reply.headers.items()}, reply.body)


def _traded(
    screen: Screen, loaded: "LoadedSettings", venue: _Venue, ledger: "Ledger"
) -> "tuple[RunFolder, Reconciled, dict[str, History]]":
    from openalpha.core.messages import Environment
    from openalpha.engine.signals import EngineSettings
    from openalpha.market.catalogue import instrument_for
    from openalpha.trading.paper.starting import Asked
    from openalpha.trading.venue.starting import (
        VenueAccess,
        VenueTerms,
        begin_venue_run,
        venue_clock,
        venue_driver,
    )
    from openalpha.venue.bybit.channel import Channel

    clock = venue_clock(venue.transport, venue.key, is_lockstep=True)
    folder = begin_venue_run(
        loaded.home,
        [Asked(name, params) for name, params, _ in _TRADED],
        instruments=[instrument_for(name) for _, _, name in _TRADED],
        terms=VenueTerms(Environment.TWIN, _HOUR_MS, _CAPITAL, DAYS * 24 * _HOUR_MS),
        settings=EngineSettings(),
        clock=clock,
    )
    driver = venue_driver(
        folder,
        loaded.home,
        access=VenueAccess(venue.transport, venue.key, clock),
        ledger=ledger,
        entity=loaded.settings.books.entity,
        hear=screen.remark,
    )
    driver.start()
    asyncio.run(driver.lead())
    assert driver.reconciled is not None
    channel = Channel(venue.transport, venue.key, clock=clock)
    return folder, driver.reconciled, _histories(folder, channel)


def _histories(folder: "RunFolder", channel: "Channel") -> "dict[str, History]":
    """Return the bars the run saw, and the funding the twin settled, as histories."""
    import numpy as np

    from openalpha.market.history import History
    from openalpha.store.run_log import FrameKind, read
    from openalpha.trading.run.feed_rows import row_of

    plan = folder.plan()
    rows = [
        row_of(frame.payload)
        for frame in read(folder.log, {FrameKind.FEED})
        if b'"bars"' in frame.payload
    ]
    found = {}
    for number, item in enumerate(plan.instruments):
        mine = [(row.ts_ms, row.bars[number]) for row in rows if row.bars[number] is not None]
        found[str(item.id)] = History.of(
            item,
            plan.timeframe_ms,
            ts_ms=np.array([ts for ts, _ in mine], dtype=np.int64),
            bars=np.array([bar for _, bar in mine], dtype=np.int64),
            funding=_funding(channel, item.symbol),
            notes=("SYNTHETIC: bars of the demo's twin",),
        )
    return found


def _funding(channel: "Channel", symbol: str) -> Any:
    import numpy as np

    from openalpha.venue.bybit.channel import Call

    params = {"category": "linear", "symbol": symbol, "limit": 200}
    answer = channel.call(Call("/v5/market/funding/history", params, is_public=True))
    pairs = sorted(
        (int(row["fundingRateTimestamp"]), int(Decimal(row["fundingRate"]).scaleb(12)))
        for row in answer.rows
    )
    stamps = np.array([stamp for stamp, _ in pairs], dtype=np.int64)
    return stamps, np.array([rate for _, rate in pairs], dtype=np.int64)


def _papered(
    loaded: "LoadedSettings",
    at_twin: "RunFolder",
    histories: "Mapping[str, History]",
    ledger: "Ledger",
) -> "tuple[RunFolder, int]":
    """Lead the same plan in paper over the same bars."""
    from openalpha.books.accounts import Book
    from openalpha.core.clock import SystemClock
    from openalpha.core.messages import Environment
    from openalpha.trading.feeds.feed import LakeFeed
    from openalpha.trading.paper.desk import Desk
    from openalpha.trading.paper.driver import Driver
    from openalpha.trading.paper.posting import Poster
    from openalpha.trading.run.folder import begin_run

    plan = replace(at_twin.plan(), environment=Environment.PAPER)
    feed = {"kind": "demo", "bars_of": at_twin.id}
    folder = begin_run(loaded.home, plan, feed=feed, created_ms=SystemClock().now_ms())
    desk = Desk(plan)
    book = Book(Environment.PAPER, loaded.settings.books.entity)
    poster = Poster(ledger, book, desk=desk, run_id=folder.id)
    every = list(histories.values())

    async def lead() -> None:
        driver = Driver(folder, desk, poster=poster, feed=LakeFeed(every), clock=SystemClock())
        driver.start()
        await driver.lead()

    asyncio.run(lead())
    return folder, poster.checks


def _row(
    number: int,
    at_twin: "RunFolder",
    paper: "RunFolder",
    loaded: "LoadedSettings",
    histories: "Mapping[str, History]",
) -> dict[str, Any]:
    """Compare one strategy at the twin, in paper and as a backtest of the same bars."""
    from openalpha import api

    part = paper.plan().strategies[number]
    name, params, instrument = _TRADED[number]
    run = api.backtest(
        name,
        histories[instrument],
        params=params,
        capital=paper.plan().capital_of(part),
        risk={"profile": "live"},
        home=loaded.home,
    ).run
    books = [folder.status()["books"][number] for folder in (at_twin, paper)]
    return {
        "strategy": name,
        "instrument": instrument,
        "twin": books[0]["equity"],
        "paper": books[1]["equity"],
        "backtest": f"{run.final_equity:.8f}",
        "fills": [books[0]["fills"], books[1]["fills"], len(run.fills)],
    }


def _show(screen: Screen, rows: Sequence[Mapping[str, Any]]) -> None:
    from rich import box
    from rich.table import Table

    screen.show(f"Equity after {DAYS} SYNTHETIC days at the twin, in paper, and as a backtest:")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("strategy", "market", "twin", "paper", "backtest", "fills"):
        table.add_column(name, justify="left" if name in ("strategy", "market") else "right")
    for row in rows:
        _, _, symbol = row["instrument"].rpartition(":")
        equity = (f"{Decimal(row[name]):,.2f}" for name in ("twin", "paper", "backtest"))
        table.add_row(
            row["strategy"], symbol, *equity, " / ".join(str(count) for count in row["fills"])
        )
    screen.show(table)
