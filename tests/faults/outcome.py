"""The verdict on an installation's run: the exchange's own word beside log, ledger and status."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from openalpha.books.accounts import Book
from openalpha.books.ledger import Ledger
from openalpha.books.opening import open_ledger
from openalpha.books.settings import BooksSettings
from openalpha.books.verify import verify_book
from openalpha.core.clock import SystemClock
from openalpha.core.messages import Environment
from openalpha.net import HttpTransport
from openalpha.store.keys import Vault
from openalpha.store.run_log import FrameKind, read
from openalpha.trading.analysis.replay import replay
from openalpha.trading.feeds.venue_market import LockstepClock
from openalpha.trading.run.folder import RunFolder
from openalpha.trading.venue.posting import VenuePoster
from openalpha.venue.bybit.channel import Call, Channel
from tests.faults.tree import Tree

__all__ = ["Account", "Counts", "judged", "outcome"]

Counts = dict[str, int]


def outcome(tree: Tree) -> tuple[list[str], Counts]:
    """Everything that is wrong, in words, and how much there was."""
    folder = tree.run
    assert folder is not None
    key = Vault(tree.home, environ={}, source="file").get("twin")
    url = "" if tree.database is None else tree.database.url
    with HttpTransport(timeout_s=30.0, total_s=60.0) as network:
        there = Account(Channel(network, key, clock=LockstepClock(network, tree.url)), "linear")
        ledger = open_ledger(tree.home, BooksSettings(database_url=url), clock=SystemClock())
        try:
            faults = list(judged(there, folder, ledger))
        finally:
            ledger.database.close()
        return faults, {"orders": len(there.orders), "executions": len(there.executions)}


def judged(there: "Account", folder: RunFolder, ledger: Ledger) -> Iterator[str]:
    """Everything that is wrong with a run that has ended, in words."""
    notes = _notes(folder)
    yield from _orders(there, notes)
    yield from _executions(there, notes)
    yield from _standing(there, folder)
    book = Book(Environment.TWIN, "me")
    poster = VenuePoster(ledger, book, run_id=folder.id, instruments=folder.plan().instruments)
    yield from poster.differences(there.balances)
    yield from _proven(ledger, book)
    if not replay(folder).is_same:
        yield "the log's inputs do not lead to its outputs"


class Account:
    """What the exchange says of the account, all of it; on one of its markets.

    `before` are coins that were there before the run, by instrument: they are none of its own.
    """

    def __init__(
        self, channel: Channel, category: str, *, before: Mapping[str, Decimal] | None = None
    ) -> None:
        self._channel, self._before = channel, before or {}
        market = {"category": category, "limit": 50}
        coin = {"settleCoin": "USDT"} if category == "linear" else {}
        open_ones = self._all("/v5/order/realtime", {**market, **coin})
        ended = self._all("/v5/order/history", market)
        # What has just ended stands in both.
        rows = {row["orderId"]: row for row in (*ended, *open_ones)}.values()
        # An entry brings its stop: the exchange makes that order itself, and names it none of ours.
        self.orders = [row for row in rows if row["orderLinkId"] or not row["stopOrderType"]]
        done = self._all("/v5/execution/list", market)
        self.executions = [row for row in done if row["execType"] != "Funding"]
        wallet = channel.call(Call("/v5/account/wallet-balance", {"accountType": "UNIFIED"}))
        coins = wallet.result["list"][0]["coin"]
        self.balances = {row["coin"]: Decimal(row["walletBalance"]) for row in coins}
        self.positions = self._positions(coin) if coin else self._coins()

    def _positions(self, coin: dict[str, str]) -> dict[str, Decimal]:
        held = self._all("/v5/position/list", {"category": "linear", "limit": 50, **coin})
        return {
            f"bybit_linear:{row['symbol']}": Decimal(row["size"])
            * (1 if row["side"] == "Buy" else -1)
            for row in held
            if Decimal(row["size"])
        }

    def _coins(self) -> dict[str, Decimal]:
        held = {
            f"bybit_spot:{coin}USDT": balance
            for coin, balance in self.balances.items()
            if coin != "USDT"
        }
        own = {name: qty - self._before.get(name, Decimal(0)) for name, qty in held.items()}
        return {name: qty for name, qty in own.items() if qty}

    def _all(self, path: str, params: dict[str, Any]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        cursor = ""
        while True:
            asked = {**params, **({"cursor": cursor} if cursor else {})}
            answer = self._channel.call(Call(path, asked)).result
            found += answer["list"]
            cursor = answer.get("nextPageCursor", "")
            if not cursor or not answer["list"]:
                return found


def _notes(folder: RunFolder) -> list[dict[str, Any]]:
    frames = read(folder.log, {FrameKind.INTENT, FrameKind.NOTE})
    return [json.loads(frame.payload) for frame in frames]


def _orders(there: Account, notes: list[dict[str, Any]]) -> Iterator[str]:
    """Each order is there once, under an id that the log gave; each id's fate is known."""
    ours = Counter(note["link"] for note in notes if "order" in note)
    theirs = Counter(row["orderLinkId"] for row in there.orders)
    unsent = ("rejected", "dropped")
    refused = {note["link"] for note in notes if note.get("status") in unsent}
    yield from _twice(ours, "the log gives the id {} to {} orders")
    yield from _twice(theirs, "{} is there {} times")
    for link in sorted(theirs.keys() - ours.keys()):
        yield f"order {link or '(without an id)'} is there, the log does not know it"
    for link in sorted(ours.keys() - theirs.keys() - refused):
        yield f"order {link} of the log is not there and was not refused"


def _executions(there: Account, notes: list[dict[str, Any]]) -> Iterator[str]:
    ours = Counter(note["exec"] for note in notes if "exec" in note)
    theirs = Counter(row["execId"] for row in there.executions)
    yield from _twice(ours, "execution {} stands {} times in the log")
    for name in sorted(theirs.keys() ^ ours.keys()):
        yield f"execution {name} is {'missing' if name in theirs else 'invented'} in the log"


def _twice(counts: Counter[str], words: str) -> Iterator[str]:
    return (words.format(name, n) for name, n in sorted(counts.items()) if n > 1)


def _standing(there: Account, folder: RunFolder) -> Iterator[str]:
    status = folder.status()
    if status["mode"] != "ended":
        yield f"the run is {status['mode']}"
    if status["incidents"]:
        yield f"{status['incidents']} incidents that nothing caused"
    sums: dict[str, Decimal] = {}
    for row in (row for book in status["books"] for row in book["positions"]):
        sums[row["instrument"]] = sums.get(row["instrument"], Decimal(0)) + Decimal(row["qty"])
    held = {name: qty for name, qty in sums.items() if qty}
    if held != there.positions:
        yield f"the exchange holds {there.positions}, the run {held}"


def _proven(ledger: Ledger, book: Book) -> Iterator[str]:
    """The chain of the ledger, and every balance kept, read again."""
    proof = verify_book(ledger.database, book)
    if proof.fault is not None:
        yield f"the ledger is not sound: {proof.fault}"
