"""The account around the orders: positions, money, the venue's statement, orders of others.

Each is asked for at the start and again and again; what the venue states is compared with what
follows from the executions and the statement. A difference that stays is an incident.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from openalpha.core.instruments import InstrumentId
from openalpha.core.messages import Fill
from openalpha.core.orders import Leg
from openalpha.core.reasons import Reason
from openalpha.trading.bybit import requests as ask
from openalpha.trading.bybit.reconcile import Suspicions, compare_position
from openalpha.trading.bybit.replies import Outcome, Reply
from openalpha.trading.bybit.statement import Statement
from openalpha.trading.orders.events import VenueFill
from openalpha.trading.orders.held import Holding, kind_of
from openalpha.trading.orders.record import LiveOrder, instrument_of
from openalpha.trading.orders.side import (
    AccountState,
    Held,
    Incident,
    Request,
    RequestKind,
    VenueEvent,
)
from openalpha.venue.bybit.flatten import STOP_MARK
from openalpha.venue.bybit.needed import lacking
from openalpha.venue.bybit.rows import Execution, LogRow, OrderRow, PositionRow, Wallet

__all__ = ["Account", "holding_key"]

_ZERO = Decimal(0)
_PERIODS_MS = {
    "open": 10_000,
    "fills": 10_000,
    "positions": 10_000,
    "wallet": 20_000,
    "statement": 20_000,
}
_ASKED = {RequestKind.ASK_ORDERS: "open", RequestKind.ASK_FILLS: "fills"}
_CUT_SHORT = 3
_RETRY_MS, _SOON_MS, _REPLY_MS = 500, 300, 15_000
_OVERLAP_MS = 60_000
_FORCED = frozenset(
    {"CreateByLiq", "CreateByTakeOver_PassThrough", "CreateByAdl_PassThrough", "CreateBySettle"}
)


def holding_key(category: str, symbol: str, *, leg: Leg) -> str:
    """Return the key of a position: its instrument and leg."""
    return f"{instrument_of(category, symbol)}/{int(leg)}"


@dataclass(slots=True)
class Account:
    """What is known of the account; `polls` says when each part is asked for next.

    `cut` counts the answers in a row that lacked something, by what was asked.
    """

    polls: dict[str, int] = field(default_factory=dict)
    waiting: set[str] = field(default_factory=set)
    is_grounded: bool = False
    fills_since_ms: int = 0
    holdings: dict[str, Holding] = field(default_factory=dict)
    statement: Statement = field(default_factory=Statement)
    suspicions: Suspicions = field(default_factory=Suspicions)
    foreign: dict[str, int] = field(default_factory=dict)
    later: list[str] = field(default_factory=list)
    marks: dict[str, Decimal] = field(default_factory=dict)
    fills_heard: int = 0
    fill_answers: int = 0
    cut: dict[str, int] = field(default_factory=dict)

    @property
    def is_known(self) -> bool:
        """Whether everything asked at the start has been answered."""
        return self.is_grounded and not self.waiting

    def begin(self, categories: Sequence[str], *, now_ms: int) -> None:
        """Ask for everything; the first time, for the ground to stand on before all else.

        The ground is what was there before: positions with the executions that made them, money
        with the statement's rows that made it. Only what comes after is counted.
        """
        names = ["wallet", "statement", *(f"open:{category}" for category in categories)]
        self.later = [f"fills:{category}" for category in categories]
        self.later += [f"positions:{category}" for category in categories if category != "spot"]
        grounds = [] if self.is_grounded else [f"ground:{category}" for category in categories]
        self.waiting = {*names, *grounds, *self.later}
        self.polls = dict.fromkeys([*names, *grounds], now_ms)
        if self.is_grounded:
            self.polls |= dict.fromkeys(self.later, now_ms)

    def hurry(self, now_ms: int) -> None:
        """Ask for everything now: something may have been missed."""
        self.polls = dict.fromkeys(self.polls, now_ms)

    def due(self, now_ms: int) -> list[Request]:
        """Return the questions whose time has come."""
        requests = []
        for name, at_ms in self.polls.items():
            # A due time far ahead is of a clock that has jumped back since.
            if at_ms <= now_ms or at_ms > now_ms + 2 * _PERIODS_MS["wallet"]:
                self.polls[name] = now_ms + _REPLY_MS
                requests.append(self._question(name))
        return requests

    def heard(self, name: str, reply: Reply, *, now_ms: int) -> bool:
        """Note the answer to a question; False, and soon again, where there was none.

        An answer with a row that does not say all that counts is none: nothing is read as zero.
        """
        what = name.partition(":")[0]
        is_answer = reply.outcome is Outcome.ANSWER
        if is_answer:
            self.cut[name] = self.cut.get(name, 0) + 1 if _lacks(what, reply) else 0
        if not is_answer or self.cut[name]:
            self.polls[name] = now_ms + _RETRY_MS
            return False
        self.waiting.discard(name)
        if name.startswith("ground:"):
            self.polls.pop(name, None)
        else:
            self.polls[name] = now_ms + _PERIODS_MS[what]
        if name.startswith("fills:"):
            since = reply.ts_ms - _OVERLAP_MS
            self.fills_since_ms = max(self.fills_since_ms, since)
            self._fills_answered(name.partition(":")[2], reply)
        self._found_ground(now_ms)
        return True

    def cut_short(self, reply: Reply, *, now_ms: int) -> list[Incident]:
        """Return what a person should hear of answers that go on lacking something, once."""
        what = str(reply.params.get("what") or _ASKED.get(reply.kind))
        category = reply.params.get("category")
        name = f"{what}:{category}" if category else what
        if reply.link_ids or self.cut.get(name) != _CUT_SHORT:
            return []
        words = (
            f"Bybit's answer about {name} lacks a {_lacks(what, reply)}, {_CUT_SHORT} times in a "
            "row: it is asked again, and nothing of it is taken for zero"
        )
        return [Incident("incomplete_answer", words, now_ms)]

    def hear(self, reply: Reply, *, now_ms: int) -> list[VenueEvent]:
        """Take in an answer about the account."""
        what, category = str(reply.params["what"]), str(reply.params.get("category") or "")
        name = f"{what}:{category}" if category else what
        is_first = not self.is_grounded
        if not self.heard(name, reply, now_ms=now_ms):
            return []
        if what == "positions":
            return self._positions(reply, category, now_ms)
        if what == "wallet":
            return self._wallet(reply, now_ms)
        rows = [LogRow.of(row) for row in reversed(reply.rows)]
        if is_first:
            self.statement.begin(rows, asked_ms=reply.ts_ms)
            return []
        return self.statement.take(rows, asked_ms=reply.ts_ms, now_ms=now_ms)

    def ground(self, reply: Reply, *, now_ms: int) -> list[Execution]:
        """Take the positions over that were there before; returns the executions behind them."""
        category = str(reply.params["category"])
        if self.is_grounded or not self.heard(f"ground:{category}", reply, now_ms=now_ms):
            return []
        found = reply.rows[0]
        for raw in found["positions"]:
            row = PositionRow.of(raw, category)
            key = holding_key(category, row.symbol, leg=_leg_of_row(row))
            _adopt(self.holdings.setdefault(key, Holding(kind_of(category))), row)
        executions = [Execution.of(row, category) for row in found["executions"]]
        newest = max((execution.ts_ms for execution in executions), default=reply.ts_ms)
        oldest = min((execution.ts_ms for execution in executions), default=0)
        since_ms = max(oldest, newest - _OVERLAP_MS)
        self.fills_since_ms = min(self.fills_since_ms or since_ms, since_ms)
        return executions

    def fill(self, execution: Execution, order: LiveOrder | None, *, seq: int) -> VenueFill:
        """Take in an execution, heard of for the first time."""
        assert execution.side is not None, "a fill has a side"
        self.fills_heard += 1
        leg = _leg_of(execution, order)
        key = holding_key(execution.category, execution.symbol, leg=leg)
        holding = self.holdings.setdefault(key, Holding(kind_of(execution.category)))
        profit, is_reducing = holding.take(
            execution.exec_id,
            execution.side,
            qty=execution.qty,
            price=execution.price,
            ts_ms=execution.ts_ms,
        )
        for name in ("statement", f"positions:{execution.category}"):
            if name in self.polls and name not in self.waiting:
                self.polls[name] = min(self.polls[name], execution.ts_ms + _SOON_MS)
        fill = Fill(
            seq=seq,
            ts_ms=execution.ts_ms,
            account=0,
            instrument=InstrumentId(instrument_of(execution.category, execution.symbol)),
            order_id=0 if order is None else order.number,
            side=execution.side,
            leg=leg,
            price=execution.price,
            qty=execution.qty,
            role=execution.role,
            fee=execution.fee,
            fee_coin=execution.fee_coin,
            realised_pnl=profit,
            is_reducing=is_reducing,
            reason=Reason.NONE,
        )
        link_id = "" if order is None else order.link_id
        return VenueFill(link_id, execution.exec_id, execution.kind, fill)

    def explain(self, execution: Execution, *, now_ms: int) -> list[Incident]:
        """Say to a person what changed a position and was no order of this run.

        A position's own stop or take-profit needs no word: it was wanted.
        """
        assert execution.side is not None, "a fill has a side"
        what = f"{execution.side.name.lower()} {execution.qty} {execution.symbol}"
        at = f"at {execution.price} (execution {execution.exec_id})"
        if execution.kind in ("BustTrade", "AdlTrade") or execution.created_by in _FORCED:
            words = f"the exchange itself made it {what} {at}: {execution.created_by}"
            return [Incident("forced_fill", words, now_ms)]
        if execution.link_id.startswith(STOP_MARK):
            # The same words for each: a stop that closed twenty positions is settled once.
            words = "an emergency stop closed positions; they were taken over as they are now"
            return [Incident("stopped", words, now_ms)]
        if execution.created_by in ("", "CreateByUser"):
            words = f"somebody else {what} {at}; the position was taken over as it is now"
            return [Incident("foreign_fill", words, now_ms)]
        return []

    def see_foreign(
        self, row: OrderRow, policy: str, *, now_ms: int
    ) -> tuple[list[Incident], list[Request]]:
        """Judge an order that is none of this run's: told once, and fenced if that is the policy.

        A position's own stop and what the venue does by itself are not fenced.
        """
        is_open = row.status < 4 or row.status == 7
        if row.order_id in self.foreign or not is_open:
            return [], []
        self.foreign[row.order_id] = now_ms
        if row.created_by not in ("", "CreateByUser") or row.link_id.startswith(STOP_MARK):
            return [], []
        what = f"order {row.order_id} of {row.symbol} ({row.qty}, {row.order_type})"
        if policy == "fence" and not row.is_protective:
            words = f"{what} is none of this run's and was cancelled"
            request = ask.cancel_foreign(row.category, row.symbol, order_id=row.order_id)
            return [Incident("foreign_order", words, now_ms)], [request]
        words = f"{what} is none of this run's; it is left alone: cancel it, or settle this"
        return [Incident("foreign_order", words, now_ms)], []

    def _fills_answered(self, category: str, reply: Reply) -> None:
        self.fill_answers += 1
        prefix = instrument_of(category, "")
        if not any(key.startswith(prefix) for key in self.suspicions.seen):
            return
        # Newest first on the wire.
        places = {str(row.get("execId")): at for at, row in enumerate(reversed(reply.rows))}
        for key in self.suspicions.seen:
            if key.startswith(prefix):
                self.holdings[key].put_in_order(places)

    def _question(self, name: str) -> Request:
        what, _, category = name.partition(":")
        if what == "open":
            return ask.ask_open(category)
        if what == "fills":
            return ask.ask_fills(category, start_ms=self.fills_since_ms)
        return ask.ask_account(name, start_ms=self.statement.since_ms if what == "statement" else 0)

    def _found_ground(self, now_ms: int) -> None:
        """Once everything that was there before is known, what follows is counted."""
        if self.is_grounded or self.waiting - set(self.later):
            return
        self.is_grounded = True
        self.polls |= dict.fromkeys([*self.later, "statement"], now_ms)

    def _wallet(self, reply: Reply, now_ms: int) -> list[VenueEvent]:
        wallet = _wallet_of(reply)
        balances = {coin.coin: coin.wallet for coin in wallet.coins}
        held = {
            key.partition("/")[0]: Held(
                holding.qty, holding.avg_price, self.marks.get(key, holding.avg_price)
            )
            for key, holding in self.holdings.items()
            if holding.qty
        }
        equity = _ZERO if wallet.equity_usd is None else wallet.equity_usd
        return [AccountState(now_ms, equity, balances, held)]

    def _positions(self, reply: Reply, category: str, now_ms: int) -> list[VenueEvent]:
        rows = {}
        for raw in reply.rows:
            row = PositionRow.of(raw, category)
            if row.size:
                rows[holding_key(category, row.symbol, leg=_leg_of_row(row))] = row
        self.marks |= {key: row.mark_price for key, row in rows.items()}
        prefix = instrument_of(category, "")
        keys = sorted({*rows, *(key for key in self.holdings if key.startswith(prefix))})
        events: list[VenueEvent] = []
        for key in keys:
            ours = self.holdings.setdefault(key, Holding(kind_of(category)))
            difference = compare_position(key, ours, row=rows.get(key))
            # An execution may be on its way still: only what stays is an incident.
            if self.suspicions.confirms(
                key, difference, heard=self.fills_heard, answers=self.fill_answers
            ):
                assert difference is not None, "confirmed"
                events.append(Incident(difference.code, difference.words, now_ms))
                _adopt(ours, rows.get(key))
            elif difference is None:
                ours.agree()
            else:
                self.polls[f"fills:{category}"] = now_ms
                self.polls[f"positions:{category}"] = now_ms + _RETRY_MS
        return events


def _lacks(what: str, reply: Reply) -> str:
    """Return the first field that an answer lacks and that counts."""
    if what != "ground":
        is_empty = what == "wallet" and not reply.rows
        return "row" if is_empty else lacking(what, reply.rows)
    found = reply.rows[0]
    return lacking("positions", found["positions"]) or lacking("fills", found["executions"])


def _wallet_of(reply: Reply) -> Wallet:
    return Wallet.of(reply.rows[0] if reply.rows else {})


def _adopt(ours: Holding, row: PositionRow | None) -> None:
    """Take the venue's word for a position."""
    ours.qty = _ZERO if row is None or row.side is None else row.size * row.side
    ours.avg_price = _ZERO if row is None else row.avg_price
    ours.agree()


def _leg_of_row(row: PositionRow) -> Leg:
    return Leg.SHORT if row.idx == 2 else Leg.NET


def _leg_of(execution: Execution, order: LiveOrder | None) -> Leg:
    if order is not None:
        return Leg.SHORT if order.params.get("positionIdx") == 2 else Leg.NET
    return Leg.NET
