"""The whole state of the twin, and the small questions everything asks of it."""

import hashlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from openalpha.venue.twin.accounts import Account, Accounts
from openalpha.venue.twin.codes import Refused
from openalpha.venue.twin.listings import CASH, Listing, Pool, make_pools
from openalpha.venue.twin.orders import Order
from openalpha.venue.twin.settings import TwinSettings
from openalpha.venue.twin.tape import Tape

__all__ = ["KEPT_ROWS", "Due", "Holding", "Push", "Record", "State", "make_state"]

KEPT_ROWS = 100_000
"""Closed orders, executions, ledger rows an account's history keeps; older ones are forgotten."""


class Push(NamedTuple):
    """Something for the private sockets of an account."""

    account: int
    topic: str
    rows: list[dict[str, Any]]
    ts_ms: int


class Due(NamedTuple):
    """A command on its way to the book: it arrives at a stamp, in the order it was sent.

    `what` is place, cancel or amend; `changes` are an amend's quantity, limit and trigger.
    """

    ts_ms: int
    seq: int
    what: str
    order: Order
    changes: tuple[int, int, int] = (0, 0, 0)


@dataclass(slots=True)
class Holding:
    """What the venue remembers of a position beyond what the kernel holds.

    `row` is how it was shown last, and `facts` what that followed from.
    """

    opened_ms: int = 0
    created_ms: int = 0
    updated_ms: int = 0
    realised: int = 0
    realised_now: int = 0
    open_fee: int = 0
    is_auto_margin: bool = False
    facts: object = None
    row: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Record:
    """An account's history: rows as the venue shows them, the newest last.

    `ended` counts the orders of each category that have closed, `before` those of them that closed
    before the venue last restarted, `count` all orders.
    """

    orders: dict[str, Order] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    open_ids: dict[str, None] = field(default_factory=dict)
    ended: dict[str, int] = field(default_factory=dict)
    before: dict[str, int] = field(default_factory=dict)
    count: int = 0
    executions: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=KEPT_ROWS))
    ledger: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=KEPT_ROWS))
    closed: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=KEPT_ROWS))
    cash: dict[str, int] = field(default_factory=dict)
    holdings: dict[tuple[str, int], Holding] = field(default_factory=dict)

    def add(self, order: Order) -> None:
        """Take a new order."""
        self.count += 1
        order.number = self.count
        self.orders[order.order_id] = order

    def end(self, order: Order) -> None:
        """Count an order that has closed; the history forgets its oldest."""
        category = order.listing.partition(":")[0]
        order.ended = self.ended[category] = self.ended.get(category, 0) + 1
        self.open_ids.pop(order.order_id, None)
        while len(self.orders) > KEPT_ROWS:
            oldest = next(iter(self.orders))
            if oldest in self.open_ids:
                break
            gone = self.orders.pop(oldest)
            self.links.pop(gone.link_id, None)


@dataclass(slots=True)
class State:
    """Everything the twin knows. Changed only by the desk, the market and the venue's own acts."""

    settings: TwinSettings
    pools: list[Pool]
    listings: dict[str, Listing]
    accounts: Accounts = field(default_factory=Accounts)
    records: list[Record] = field(default_factory=list)
    now_ms: int = 0
    skew_ms: int = 0
    seq: int = 0
    ids: int = 0
    pushes: list[Push] = field(default_factory=list)
    funds: dict[str, int] = field(default_factory=dict)
    funding: dict[str, deque[tuple[int, int]]] = field(default_factory=dict)
    told: int = 0
    taken: list[tuple[str, int, int]] = field(default_factory=list)
    latency_ms: int = 0
    due: list[Due] = field(default_factory=list)
    audience: dict[int, set[str]] = field(default_factory=dict)
    liquidations: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=1_000))
    quoted: dict[str, list[Listing]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for one in self.listings.values():
            self.quoted.setdefault(one.instrument.base, []).append(one)

    def next_id(self) -> str:
        """Return a fresh id, in the form of a UUID; the same for the same history."""
        self.ids += 1
        text = hashlib.blake2b(
            f"{self.settings.seed}/{self.ids}".encode(), digest_size=16
        ).hexdigest()
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def next_seq(self) -> int:
        """Return the next number of the venue's one sequence."""
        self.seq += 1
        return self.seq

    def listing(self, params: dict[str, Any]) -> Listing:
        """Return the market a request names.

        Raises
        ------
        Refused
            10001, or 170121 on spot, where there is none.
        """
        category, symbol = self.category(params), params.get("symbol")
        found = self.listings.get(f"{category}:{symbol}")
        if found is None:
            if category == "spot":
                raise Refused(170121, "Invalid symbol.")
            raise Refused(10001, "params error: symbol invalid")
        return found

    def category(self, params: dict[str, Any]) -> str:
        """Return the category a request names.

        Raises
        ------
        Refused
            10001 where it is none of the four.
        """
        category = params.get("category")
        if category not in ("linear", "inverse", "spot", "option"):
            raise Refused(10001, "Illegal category")
        return str(category)

    def of_category(self, category: str) -> Iterator[Listing]:
        """Yield the markets of a category in the order they were listed."""
        return (one for one in self.listings.values() if one.category == category)

    def record(self, account: Account) -> Record:
        """Return an account's history."""
        return self.records[account.number]

    def holding(self, account: int, listing: str, *, leg: int) -> Holding:
        """Return what is remembered of a position."""
        holdings = self.records[account].holdings
        if (listing, leg) not in holdings:
            holdings[listing, leg] = Holding(created_ms=self.now_ms, updated_ms=self.now_ms)
        return holdings[listing, leg]

    def find_order(self, account: Account, params: dict[str, Any]) -> Order | None:
        """Return the order a request names: by orderId first, then by orderLinkId."""
        record = self.record(account)
        name = params.get("orderId")
        if not name and params.get("orderLinkId"):
            name = record.links.get(str(params["orderLinkId"]))
        return record.orders.get(str(name)) if name else None

    def coins(self) -> list[str]:
        """Return every coin an account can hold, settle coins first."""
        settles = [pool.settle for pool in self.pools]
        bases = [coin for pool in self.pools for coin in pool.coins]
        return list(dict.fromkeys(settles + bases))

    def balance(self, account: int, coin: str) -> int:
        """Return an account's balance of a coin over all pools, in cash units."""
        total = 0
        for pool in self.pools:
            number = pool.coin_number(coin)
            if number is not None:
                total += pool.machine.balances(account)[number]
        return total

    def usd_price(self, coin: str) -> tuple[int, int]:
        """Return a coin's price in dollars and its decimals; 1 for a coin nothing is quoted in."""
        for listing in self.quoted.get(coin, ()):
            if listing.tape.index > 0:
                return listing.tape.index, listing.price_decimals
        return 1, 0

    def is_heard(self, account: int, topic: str) -> bool:
        """Count something an account is to be told; say whether any socket listens for it.

        `audience` holds, for each account, what its sockets subscribed.
        """
        if account <= 0:
            return False
        self.told += 1
        return topic in self.audience.get(account, ())

    def push(self, account: int, topic: str, *, rows: list[dict[str, Any]]) -> None:
        """Put rows on the way to an account's private sockets."""
        self.pushes.append(Push(account, topic, rows, self.now_ms))


def make_state(settings: TwinSettings, now_ms: int) -> State:
    """Return the state of a twin that begins now, without accounts or prices."""
    tapes: dict[str, Tape] = {}
    pools = make_pools(settings.listings, tapes)
    listings = {one.key: one for pool in pools for one in pool.listings}
    ordered = {
        f"{spec.category}:{spec.symbol}": listings[f"{spec.category}:{spec.symbol}"]
        for spec in settings.listings
    }
    state = State(settings, pools, ordered, now_ms=now_ms, latency_ms=settings.latency_ms)
    # Number 0 is the venue's own in every machine: it keeps numbers equal to places in the lists.
    state.accounts.add(Account(0, 0))
    state.records.append(Record())
    for pool in pools:
        state.funds[pool.settle] = int(settings.insurance_fund) * 10**CASH
    for listing in ordered.values():
        state.funding[listing.key] = deque(maxlen=1_000)
        listing.launched_ms = now_ms
    return state
