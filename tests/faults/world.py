"""One world: an exchange, a trader that may die and start again, and what lies between them."""

import random
from dataclasses import dataclass, field

from openalpha.core.clock import ManualClock
from openalpha.core.errors import StorageError
from openalpha.store.exchange_key import ExchangeKey
from openalpha.store.run_log import FrameKind, canonical_json
from openalpha.trading.bybit.executor import Executor
from openalpha.trading.bybit.fates import SideTerms
from openalpha.venue.bybit.channel import Channel, Terms
from openalpha.venue.twin import Exchange, ListingSpec, TwinSettings
from openalpha.venue.twin.sockets import Hub
from openalpha.venue.twin.state import Record
from tests.fakes.bybit import URL
from tests.fakes.disk import SimulatedDisk
from tests.fakes.twin import BTC, Client
from tests.faults.network import Crash, Network, Socket, Steps
from tests.faults.trader import Plan, Trader

TURN_MS = 250
DECIDE_EVERY = 4
SETTLE_MS = 60_000


@dataclass
class SkewedClock:
    """The trader's clock: the exchange's, and how far it is wrong."""

    inner: ManualClock
    wrong_ms: int = 0

    def now_ms(self) -> int:
        return self.inner.now_ms() + self.wrong_ms


@dataclass(frozen=True)
class Market:
    """What is traded in a world, and with what."""

    listing: ListingSpec
    coins: tuple[str, ...]
    balances: tuple[tuple[str, str], ...]


LINEAR = Market(BTC, ("USDT",), (("USDT", "50000"),))


@dataclass
class World:
    """Everything of one scenario; all chance comes from its seed."""

    seed: int
    plan: Plan
    start_ms: int = 1_700_000_000_000
    market: Market = LINEAR
    terms: SideTerms = field(default_factory=SideTerms)
    steps: Steps = field(default_factory=Steps)
    disk: SimulatedDisk = field(default_factory=SimulatedDisk)
    crashes: int = 0
    turns: int = 0
    recoveries_ms: list[int] = field(default_factory=list)
    """From the start of the trader until every fate is known."""
    served_ms: list[int] = field(default_factory=list)
    """The same from when its questions were answered: the last one that was not, or its start."""
    trader: Trader | None = None
    _began_ms: int = 0

    def __post_init__(self) -> None:
        random.seed(self.seed)
        self.draw = random.Random(self.seed)
        self.clock = ManualClock(self.start_ms)
        settings = TwinSettings(
            listings=(self.market.listing,), backfill_days=0, levels=50, seed=self.seed
        )
        self.exchange = Exchange(settings, self.clock)
        self.exchange.limits.is_lifted = True
        self.exchange.faults.reseed(self.seed)
        self.hub = Hub(self.exchange)
        self.exchange.on_socket_fault = self.hub.strike
        self.client = Client.of(self.exchange, **dict(self.market.balances))
        self.skewed = SkewedClock(self.clock)
        self.disk.step = self.steps
        self.network = Network(self.exchange, self.clock, self.draw, self.steps)
        self.socket = Socket(self.hub, self.client)

    @property
    def account(self) -> Record:
        """The account's history at the exchange."""
        found = self.exchange.state.accounts.by_uid(int(self.client.uid))
        assert found is not None
        return self.exchange.state.record(found)

    def now_ms(self) -> int:
        """The trader's time."""
        return self.skewed.now_ms()

    def turn(self) -> None:
        """One turn of the loop; a crash in it is followed by a start, some time later."""
        self.turns += 1
        self.clock.advance(TURN_MS)
        self.exchange.advance()
        self.network.arrive()
        try:
            if self.trader is None:
                self._start()
            self._loop()
        except Crash:
            self._die(self.draw.randint(0, 8_000))
        except StorageError:
            # The disk refuses: the process ends, and is started again once there is room.
            self._die(2_000)
            self.disk.capacity = 1 << 40

    def run(self, turns: int) -> None:
        """A number of turns."""
        for _ in range(turns):
            self.turn()

    def is_quiet(self) -> bool:
        """Whether the trader is there and nothing is owed."""
        trader = self.trader
        if trader is None or not trader.side.is_recovered or trader.replies or trader.waiting:
            return False
        fills = trader.heard.fills
        told_ms = trader.side.account.statement.told_ms
        if self.network.late or (fills and fills[-1].fill.ts_ms >= told_ms):
            return False
        resting = [o for o in trader.side.record.unsettled() if o.is_open and not o.ask_at_ms]
        return len(resting) == len(trader.side.record.unsettled())

    def settle(self, limit_ms: int = SETTLE_MS) -> None:
        """Good weather until nothing is owed, and a little longer; fails where that never comes."""
        self.exchange.faults.clear()
        self.network.weather.late = 0.0
        self.network.weather.is_away = False
        self.steps.at = -1
        for more in (100, 0):
            ends_ms = self.clock.now_ms() + limit_ms
            while not self.is_quiet():
                assert self.clock.now_ms() < ends_ms, f"not quiet in {limit_ms} ms: {self.owed()}"
                self.turn()
            self.run(more)

    def owed(self) -> str:
        """What is still owed, for a failure's words."""
        trader = self.trader
        if trader is None:
            return "no trader"
        orders = [(o.link_id, o.shown.name, o.ask_at_ms) for o in trader.side.record.unsettled()]
        return f"{orders} waiting={trader.side.account.waiting} replies={len(trader.replies)}"

    def _start(self) -> None:
        key = ExchangeKey(self.client.key, self.client.secret, URL)
        channel = Channel(
            self.network,
            key,
            clock=self.skewed,
            terms=Terms(window_ms=self.terms.window_ms),
            pause=self._pause,
        )
        executor = Executor(channel, settle_coins={self.market.listing.category: self.market.coins})
        trader = Trader(self.disk, executor, self.plan, self.draw, self.terms)
        self._began_ms = self.clock.now_ms()
        trader.start(self.now_ms())
        trader.send(self.clock.now_ms())
        self.trader = trader

    def _loop(self) -> None:
        trader = self.trader
        assert trader is not None
        if not self.socket.is_open and not self.network.weather.is_away:
            self.socket.connect()
            up = canonical_json({"what": "private_socket", "is_up": True})
            trader.take(FrameKind.HEALTH, up, self.now_ms())
        for push in self.socket.hear():
            trader.take(FrameKind.FEED, push, self.now_ms())
        for reply in trader.answered(self.clock.now_ms()):
            trader.take(FrameKind.REPLY, reply, self.now_ms())
        number = self.clock.now_ms() // TURN_MS
        decide = number % DECIDE_EVERY == 0 and trader.side.is_recovered
        trader.take(FrameKind.TIMER, canonical_json({"decide": int(decide)}), self.now_ms())
        trader.send(self.clock.now_ms())
        if self._began_ms and trader.side.is_recovered:
            now_ms = self.clock.now_ms()
            self.recoveries_ms.append(now_ms - self._began_ms)
            self.served_ms.append(now_ms - max(self._began_ms, self.network.troubled_ms))
            self._began_ms = 0

    def _die(self, down_ms: int) -> None:
        self.crashes += 1
        self.trader = None
        self.disk.crash(self.draw.randrange(1 << 30), keeps_writes=self.draw.random() < 0.5)
        if self.socket.session is not None:
            self.socket.session.close()
            self.hub.close(self.socket.session)
            self.socket.session = None
        self.clock.advance(down_ms)

    def _pause(self, seconds: float) -> None:
        self.steps("pause")
        self.clock.advance(max(1, round(seconds * 1000)))
