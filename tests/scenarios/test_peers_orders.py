"""What hurt users of other systems does not happen here, and would without the guard named."""

import dataclasses
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from openalpha.trading.bybit import account as bybit_account
from openalpha.trading.bybit import side as bybit_side
from openalpha.trading.bybit import stops as bybit_stops
from openalpha.trading.bybit.account import Account
from openalpha.trading.bybit.executor import Executor
from openalpha.trading.bybit.fates import Fates
from openalpha.trading.bybit.replies import Outcome
from openalpha.trading.bybit.side import BybitSide
from openalpha.trading.bybit.statement import Statement
from openalpha.trading.bybit.stops import Exits, Stops
from openalpha.trading.orders.record import OrderRecord
from openalpha.venue.bybit import flatten, rows
from openalpha.venue.bybit.answers import Answer
from openalpha.venue.bybit.rows import Execution
from tests.faults import many_stories, stories

Removal = Callable[[pytest.MonkeyPatch], None]


def _take_rows_twice(patch: pytest.MonkeyPatch) -> None:
    take = Statement.take

    def forgetful(self: Statement, rows: Any, **more: Any) -> Any:
        self.ids.clear()
        return take(self, rows, **more)

    patch.setattr(Statement, "take", forgetful)


def _no_ground(patch: pytest.MonkeyPatch) -> None:
    ground = Account.ground

    def blind(self: Account, reply: Any, **more: Any) -> Any:
        ground(self, reply, **more)
        return []

    patch.setattr(Account, "ground", blind)


def _call_unknown_not_sent(patch: pytest.MonkeyPatch) -> None:
    read = bybit_side.read_reply

    def sure(payload: bytes) -> Any:
        reply = read(payload)
        is_unknown = reply.outcome is Outcome.UNKNOWN
        return dataclasses.replace(reply, outcome=Outcome.NOT_SENT) if is_unknown else reply

    patch.setattr(bybit_side, "read_reply", sure)


def _never_flat(patch: pytest.MonkeyPatch) -> None:
    see, see_all = Stops.see, Stops.see_all

    def hold(self: Stops) -> None:
        for position in self.positions.values():
            position.qty = position.qty or Decimal(position.row_ms > 0)

    def seeing(self: Stops, row: Any) -> None:
        see(self, row)
        hold(self)

    def seeing_all(self: Stops, category: str, rows: Any, **more: Any) -> None:
        see_all(self, category, rows, **more)
        hold(self)

    patch.setattr(Stops, "see", seeing)
    patch.setattr(Stops, "see_all", seeing_all)
    patch.setattr(bybit_stops, "_REFUSALS", 1_000)


def _never_shown(patch: pytest.MonkeyPatch) -> None:
    see, hear = Stops.see, Stops.hear

    def forgetful(self: Stops, row: Any) -> None:
        see(self, row)
        for position in self.positions.values():
            position.shown = Exits()

    def deaf(self: Stops, reply: Any, **more: Any) -> Any:
        found = hear(self, reply, **more)
        for position in self.positions.values():
            position.shown = Exits()
        return found

    patch.setattr(Stops, "see", forgetful)
    patch.setattr(Stops, "hear", deaf)


def _take_away_first(patch: pytest.MonkeyPatch) -> None:
    due = Stops.due

    def naked(self: Stops, now_ms: int) -> Any:
        requests = due(self, now_ms)
        bare = [
            dataclasses.replace(one, params={**one.params, "stopLoss": "0"}) for one in requests
        ]
        shown = [position.shown.stop for position in self.positions.values()]
        return [*bare, *requests] if any(shown) else requests

    patch.setattr(Stops, "due", naked)


def _read_what_is_missing_as_zero(patch: pytest.MonkeyPatch) -> None:
    for module in (bybit_account, bybit_side, rows):
        patch.setattr(module, "lacking", lambda kind, rows: "")


def _first_page_only(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Answer, "cursor", "")


def _look_through_the_latest(patch: pytest.MonkeyPatch) -> None:
    read = Executor._read

    def latest(self: Executor, turn: Any, path: str, params: Any) -> Any:
        short = {name: value for name, value in params.items() if name != "orderLinkId"}
        return read(self, turn, path, {**short, "limit": 50})

    patch.setattr(Executor, "_read", latest)


def _believe_one_call(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(flatten._Derivatives, "_orders", lambda self: [])


GUARDS: dict[Callable[[], None], tuple[str, Removal]] = {
    stories.funding_is_never_a_fill: (
        "executions that change no position are left out (Execution.is_fill)",
        lambda patch: patch.setattr(Execution, "is_fill", True),
    ),
    stories.funding_is_paid_once_a_stamp: (
        "each row of the statement is taken once, by its id (Statement.ids)",
        _take_rows_twice,
    ),
    stories.a_warm_restart_invents_no_fill: (
        "each execution counts once, by its id (OrderRecord.is_new)",
        lambda patch: patch.setattr(OrderRecord, "is_new", lambda self, exec_id, ts_ms: True),
    ),
    stories.starting_converges_in_one_pass: (
        "what was there before the first start is known by its executions (Account.ground)",
        _no_ground,
    ),
    stories.an_accepted_order_is_not_submitted_again: (
        "a reply that is missing leaves the fate open: the venue is asked (Outcome.UNKNOWN)",
        _call_unknown_not_sent,
    ),
    stories.timeouts_lose_and_double_nothing: (
        "an order is given up only once its request would be refused (Fates._bounded)",
        lambda patch: patch.setattr(Fates, "_bounded", lambda self, order, reply: 0),
    ),
    stories.a_restart_keeps_stops_and_attaches_them_again: (
        "exits wanted and exits shown are compared for ever (Stops.due)",
        lambda patch: patch.setattr(Stops, "due", lambda self, now_ms: []),
    ),
    stories.a_position_closed_by_hand_gets_no_more_stops: (
        "a position that the venue shows flat gets nothing (Stops.see, Stops.see_all)",
        _never_flat,
    ),
    stories.no_stop_outlives_its_position: (
        "exits are those of the position, which the venue ends with it (tpslMode Full)",
        _never_flat,
    ),
    stories.an_unchanged_stop_is_left_alone: (
        "only a difference to what the venue shows is asked for (Stops.due)",
        _never_shown,
    ),
    many_stories.a_missing_field_is_asked_for_and_never_a_zero: (
        "a row that does not say all that counts is no answer and is asked for again (lacking)",
        _read_what_is_missing_as_zero,
    ),
    many_stories.an_order_before_the_last_500_is_found: (
        "an order is asked for by its own id, not looked for in a list (requests.ask_order)",
        _look_through_the_latest,
    ),
    many_stories.more_than_500_open_orders_are_all_told: (
        "a listing is read to its last page (Executor._pages, Channel.pages)",
        _first_page_only,
    ),
    many_stories.more_than_500_open_orders_are_all_cancelled: (
        "what one call left is looked for and cancelled again (flatten)",
        _believe_one_call,
    ),
    stories.a_stop_is_replaced_without_a_gap: (
        "the old stop is cancelled only once the venue has the new one (BybitSide.replace)",
        lambda patch: patch.setattr(
            BybitSide,
            "replace",
            lambda self, new, *, old: [*self.send([new]), *self.cancel([old])],
        ),
    ),
    stories.a_position_is_never_naked_while_its_stop_moves: (
        "a stop is moved by one call, never taken away first (Stops.due)",
        _take_away_first,
    ),
}


@pytest.mark.parametrize("story", GUARDS, ids=lambda story: story.__name__)
def test_it_does_not_happen_here(story: Callable[[], None]) -> None:
    assert story.__doc__ is not None and story.__doc__.startswith("https://github.com/")
    story()


@pytest.mark.parametrize("story", GUARDS, ids=lambda story: story.__name__)
def test_it_would_without_its_guard(
    story: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    guard, remove = GUARDS[story]
    remove(monkeypatch)
    with pytest.raises(AssertionError):
        story()
    assert guard
