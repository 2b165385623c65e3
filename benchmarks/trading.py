"""From a bar on the socket to the order's bytes on the wire, and what a run that waits costs.

The whole loop as `openalpha run` builds it: public socket, log, desk, gate, threads, signing, HTTP.
Orders go to a twin in a process of its own; bars come from a socket of another, each a little after
its close by a clock that is moved on between them. What the disk's sync takes on the way is left
out and stands beside it.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.rows import Bench, Line
from benchmarks.ticker import Minutes, Ticker

TICKS, BARS, IDLE_S = 200, 5_000, 60.0
BEFORE_MS, AFTER_MS = 100, (20, 50, 90, 150)
"""When a bar comes: the clock is moved on to so long before its close, it comes so long after."""
MINUTE_MS = 60_000
SCRIPT, BARS_PAYLOAD = "benchmarks.trading", b'{"bars"'
STAGES = ("read", "woken", "decided", "left")
EVENTS = Path(__file__).with_name("event_turns.py")


def trading_rows(bench: Bench) -> Iterator[Line]:
    """Tick to order, the processor at rest, and a paper run's memory."""
    for strategy, params in (
        ("rsi_reversion", {"period": 2}),
        ("ma_cross", {"fast": 2, "slow": 3}),
        (str(EVENTS), {}),
    ):
        found = _measured(bench, strategy, params)
        sync = f"sync beside it {found['sync_ms']:.2f} ms"
        cpu = f"{found['cpu_ms']:.2f} ms of processor in the loop"
        parts = ", ".join(f"{name} {found[f'{name}_ms']:.2f}" for name in STAGES)
        note = f"{found['orders']} orders after {BARS:,} bars; {sync}; {cpu}; {parts} ms"
        for name, must in (("p50", 0.5), ("p99", 2.0)):
            yield Line(
                f"tick to order {Path(strategy).stem}: {name}",
                f"{found[name]:.2f} ms",
                ratio=found[name],
                must=must,
                is_limit=True,
                note=note,
            )
    yield Line(
        "a run at rest: processor",
        f"{found['idle_share']:.1%}",
        ratio=found["idle_share"] * 100,
        must=3.0,
        is_limit=True,
        note=f"of one core over {IDLE_S:g} s, a bar a minute and sockets up",
    )
    for what, peak_mb in (("at a venue", found["peak_mb"]), ("on paper", _paper_mb(bench))):
        yield Line(
            f"memory of a run {what}",
            f"{peak_mb:.0f} MB",
            ratio=peak_mb,
            must=350.0,
            aim=250.0,
            is_limit=True,
            note="highest resident",
        )


def _measured(bench: Bench, strategy: str, params: Mapping[str, int]) -> dict[str, float]:
    """Measure one strategy in a process of its own, at a twin of its own."""
    told = Path(tempfile.mkdtemp(dir=bench.folder)) / "twin.json"
    command = [sys.executable, "-m", "openalpha", "twin", "--port", "0", "--lift-limits"]
    server = subprocess.Popen([*command, "--json", str(told), "--quiet"])
    try:
        ends = time.monotonic() + 180
        while not told.exists():
            if server.poll() is not None or time.monotonic() > ends:
                raise RuntimeError("the twin did not start")
            time.sleep(0.1)
        url = json.loads(told.read_text("utf-8"))["url"]
        ticks = str(TICKS // (5 if bench.rounds < 7 else 1))
        rests = str(int(strategy == str(EVENTS)))
        call = [sys.executable, "-m", SCRIPT, url, strategy, json.dumps(params), ticks, rests]
        done = subprocess.run(call, capture_output=True, text=True, timeout=400, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr[-2000:])
        found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        return found
    finally:
        server.terminate()
        server.wait(timeout=30)


def _paper_mb(bench: Bench) -> float:
    """Run three weeks of minutes on paper; the highest resident memory of its process."""
    home = Path(tempfile.mkdtemp(dir=bench.folder))
    environ = {**os.environ, "OPENALPHA_HOME": str(home)}
    data = ("data", "synth", "--preset", "small", "--days", "21", "--timeframe", "1m")
    run = ("run", "--env", "paper", "--strategy", "ma_cross", "--timeframe", "1m", "--quiet")
    for arguments in ((*data, "--quiet"), (*run, "--instrument", "synthetic_linear:BTCUSDT")):
        child = subprocess.Popen([sys.executable, "-m", "openalpha", *arguments], env=environ)
        _, status, used = os.wait4(child.pid, 0)
        if status:
            raise RuntimeError(f"openalpha {' '.join(arguments)} failed")
    return used.ru_maxrss / 1024


class Wire:
    """Notes when the bytes of an order have left, how long syncs took, and the way in between."""

    def __init__(self) -> None:
        from httpcore._backends import sync

        from openalpha.net.socket_line import SocketLine
        from openalpha.store.run_log import RunLog

        self.left: list[float] = []
        self.used: list[float] = []
        self.synced: list[tuple[float, float]] = []
        self.at: dict[str, float] = {}
        self.taken = 0.0
        write, send, log_sync = sync.SyncStream.write, SocketLine.send, RunLog.sync
        self._note_the_way()

        def noted(stream: Any, buffer: bytes, **bound: float | None) -> None:
            write(stream, buffer, **bound)
            if b"orderLinkId" in buffer and b"triggerPrice" not in buffer and b"side" in buffer:
                self.left.append(time.perf_counter())

        def noted_too(line: Any, text: str) -> bool:
            is_sent = send(line, text)
            if '"op":"order.create' in text and "triggerPrice" not in text:
                self.left.append(time.perf_counter())
                self.used.append(time.thread_time() - self.taken)
            return is_sent

        def timed(log: RunLog) -> None:
            begun, used = time.perf_counter(), time.thread_time()
            log_sync(log)
            self.synced.append((begun, time.perf_counter()))
            self.taken += time.thread_time() - used

        setattr(sync.SyncStream, "write", noted)  # noqa: B010 - a method is put in its place
        setattr(SocketLine, "send", noted_too)  # noqa: B010
        setattr(RunLog, "sync", timed)  # noqa: B010

    def _note_the_way(self) -> None:
        from openalpha.net.socket_line import SocketLine
        from openalpha.trading.venue.desk import VenueDesk
        from openalpha.trading.venue.driver import VenueDriver

        hear, take, apply = SocketLine._hear, VenueDriver.take, VenueDesk.apply

        def hearing(line: Any, text: str) -> None:
            if '"kline' in text:
                self.at["read"] = time.perf_counter()
            hear(line, text)

        def taking(driver: Any, *given: Any) -> Any:
            if given[1].startswith(BARS_PAYLOAD):
                self.at["woken"], self.taken = time.perf_counter(), time.thread_time()
            return take(driver, *given)

        def applying(desk: Any, *given: Any) -> Any:
            outcome = apply(desk, *given)
            if given[1].payload.startswith(BARS_PAYLOAD):
                self.at["decided"] = time.perf_counter()
            return outcome

        setattr(VenueDriver, "take", taking)  # noqa: B010
        setattr(VenueDesk, "apply", applying)  # noqa: B010
        setattr(SocketLine, "_hear", hearing)  # noqa: B010


def _lead(
    url: str, strategy: str, params: Mapping[str, int], *, ticks: int, rests: bool
) -> dict[str, float]:
    """Lead a run here and measure it."""
    from openalpha.cli.exchange_access import broker_of
    from openalpha.core.clock import SystemClock
    from openalpha.net import HttpTransport
    from openalpha.store.exchange_key import ExchangeKey
    from openalpha.trading.bybit.executor import Executor
    from openalpha.trading.bybit.pushes import PrivatePushes
    from openalpha.trading.feeds.live_bars import LiveBars
    from openalpha.trading.feeds.venue_market import Bars
    from openalpha.trading.run.incidents import IncidentBook
    from openalpha.trading.safety.emergency_post import SafetyPost
    from openalpha.trading.venue.desk import VenueDesk
    from openalpha.trading.venue.driver import VenueDriver
    from openalpha.venue.bybit.channel import Channel
    from openalpha.venue.bybit.trade_line import TradeLine

    wire, ticker, clock = Wire(), Ticker(), Minutes()
    price = _price(url)
    key = ExchangeKey(*_account(url), url)
    folder = _folder(strategy, params)
    plan = folder.plan()
    home, since_ms = folder.path.parents[2], int(folder.feed()["since_ms"])
    post = SafetyPost(home, "twin", lambda who: None)
    post.start()
    with HttpTransport(timeout_s=5.0, total_s=10.0) as network:
        channel = Channel(network, key, clock=SystemClock(), broker=broker_of(home))
        line = TradeLine(key, clock=SystemClock())
        asked = Bars(channel, plan.instruments, MINUTE_MS)
        bars = LiveBars(asked, plan.instruments, url=ticker.url)
        driver = VenueDriver(
            folder,
            VenueDesk(plan, run_id=folder.id),
            carrier=Executor(channel, settle_coins={"linear": ("USDT",)}, line=line),
            market=bars,
            clock=clock,
            poster=None,
        )
        scale = 10 ** plan.instruments[0].price_decimals
        driver.past = lambda: _past(since_ms, price, scale)
        driver.post, driver.incident_book = post, IncidentBook(home, folder.environment)
        pushes = PrivatePushes(key, clock=SystemClock())
        driver.pushes = [pushes, bars]
        pushes.on_news = driver.turns.wake
        setattr(asked, "likely_ms", clock.now_ms)  # noqa: B010 - bars close by this clock
        driver.turns.attend(bars)
        for one in (pushes, line, bars):
            one.start()
        driver.start()
        frame: Any = {"since_ms": since_ms, "price": price, "ticks": ticks, "rests": rests}
        told = _story(driver, ticker, wire, **frame)
        try:
            return asyncio.run(told)
        finally:
            for one in (pushes, line, bars, ticker):
                one.close()
            post.end(SystemClock().now_ms())


async def _story(
    driver: Any,
    ticker: Ticker,
    wire: Wire,
    *,
    since_ms: int,
    price: int,
    ticks: int,
    rests: bool,
) -> dict[str, float]:
    import resource

    from openalpha.trading.run.commands import Command

    leading = asyncio.create_task(driver.lead())
    took: list[float] = []
    syncs: list[float] = []
    stages: dict[str, list[float]] = {name: [] for name in STAGES}
    while not driver.desk.side.is_recovered:
        await asyncio.sleep(0.05)
    for number in range(ticks):
        # Up and down in turns, far enough that every strategy changes its mind.
        close = price + (300 if number % 4 < 2 else -300) + number % 3
        count = len(wire.left)
        start_ms = since_ms + number * MINUTE_MS
        driver.clock.skip_to(start_ms + MINUTE_MS - BEFORE_MS)
        await asyncio.sleep((BEFORE_MS + AFTER_MS[number % len(AFTER_MS)]) / 1000)
        begun = await asyncio.to_thread(ticker.send, start_ms, close)
        while driver.desk.rows <= number or not (driver.desk.is_settled and driver.turns.is_idle):
            await asyncio.sleep(0.01)
            assert not leading.done(), leading.result()
        if len(wire.left) > count:
            left = wire.left[count]
            sync = sum(end - start for start, end in wire.synced if begun <= start and end <= left)
            took.append((left - begun - sync) * 1e3)
            syncs.append(sync * 1e3)
            # The sync lies between the decision and the bytes.
            ends = [begun, *(wire.at[name] for name in STAGES[:-1]), left - sync]
            for name, start, end in zip(STAGES, ends, ends[1:], strict=False):
                stages[name].append((end - start) * 1e3)
    rest = (time.process_time(), time.monotonic())
    await asyncio.sleep(IDLE_S if rests else 0.1)
    share = (time.process_time() - rest[0]) / (time.monotonic() - rest[1])
    driver.command(Command("STOP", "measured"))
    await leading
    assert len(took) > ticks / 10, f"{len(took)} orders of {ticks} bars are too few to judge"
    took.sort()
    return {
        "orders": len(took),
        "p50": median(took),
        "p99": took[int(len(took) * 0.99)],
        "sync_ms": median(syncs),
        **{f"{name}_ms": median(values) for name, values in stages.items()},
        "cpu_ms": median(wire.used) * 1e3 if wire.used else 0.0,
        "idle_share": share,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _past(since_ms: int, price: int, scale: int) -> Any:
    from openalpha.engine.rows import Row

    return [
        Row(since_ms - (BARS - number) * MINUTE_MS, (_bar(price + number % 7, scale),))
        for number in range(BARS)
    ]


def _bar(close: int, scale: int) -> tuple[int, int, int, int, int]:
    return close * scale, close * scale, close * scale, close * scale, 1


def _folder(strategy: str, params: Mapping[str, int]) -> Any:
    from openalpha.core.messages import Environment
    from openalpha.engine.signals import EngineSettings
    from openalpha.market.catalogue import instrument_for
    from openalpha.risk.settings import BreakerSettings, RiskSettings
    from openalpha.trading.feeds.venue_market import WallClock
    from openalpha.trading.paper.starting import Asked
    from openalpha.trading.venue.starting import VenueTerms, begin_venue_run

    # It loses a little at every turn, and turns far more often than anybody should.
    free = BreakerSettings(loss_streak=0, volatility=Decimal(0), most_trips_a_day=0)
    return begin_venue_run(
        Path(tempfile.mkdtemp(prefix="openalpha-bench-run-")),
        [Asked(strategy, params)],
        instruments=[instrument_for("bybit_linear:BTCUSDT")],
        terms=VenueTerms(Environment.TWIN, MINUTE_MS, Decimal(40_000), breakers=free),
        settings=EngineSettings(risk=RiskSettings(max_trades_per_day=0)),
        clock=WallClock(),
    )


def _account(url: str) -> tuple[str, str]:
    body = json.dumps({"balances": {"USDT": "50000"}}).encode()
    asked = urllib.request.Request(f"{url}/twin/accounts", data=body, method="POST")
    with urllib.request.urlopen(asked, timeout=30) as answer:
        made = json.loads(answer.read())
    return made["api_key"], made["api_secret"]


def _price(url: str) -> int:
    place = f"{url}/v5/market/tickers?category=linear&symbol=BTCUSDT"
    with urllib.request.urlopen(place, timeout=30) as answer:
        return int(float(json.loads(answer.read())["result"]["list"][0]["lastPrice"]))


if __name__ == "__main__":
    url, strategy, params, ticks, rests = sys.argv[1:]
    found = _lead(url, strategy, json.loads(params), ticks=int(ticks), rests=rests == "1")
    print(json.dumps(found))
