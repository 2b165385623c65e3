"""The one table of order states: what may happen, what never does."""

from itertools import product

import pytest

from openalpha.core.errors import InvalidTransition, OrderError
from openalpha.core.orders import (
    TRANSITIONS,
    OrderEvent,
    OrderStatus,
    is_terminal,
    next_status,
)

# Set beside the table: a request is under way, or the venue's word unclear.
BESIDE_THE_TABLE = {OrderStatus.PENDING_CANCEL, OrderStatus.PENDING_AMEND, OrderStatus.UNKNOWN}


@pytest.mark.parametrize("status", [OrderStatus.FILLED, OrderStatus.EXPIRED])
@pytest.mark.parametrize("event", OrderEvent)
def test_filled_and_expired_never_change(status, event):
    with pytest.raises(InvalidTransition, match=f"{event.name} is not allowed in {status.name}"):
        next_status(status, event)


def test_every_status_can_be_reached():
    reached, found = {OrderStatus.CREATED}, {OrderStatus.CREATED}
    while found:
        found = {after for (before, _), after in TRANSITIONS.items() if before in reached} - reached
        reached |= found
    assert reached == set(OrderStatus) - BESIDE_THE_TABLE


def test_cancelled_and_rejected_change_by_fills_only():
    fills = {OrderEvent.FILL_PART, OrderEvent.FILL_ALL}
    for status in (OrderStatus.CANCELLED, OrderStatus.REJECTED):
        assert {event for before, event in TRANSITIONS if before is status} == fills
        assert next_status(status, OrderEvent.FILL_PART) is status
        assert next_status(status, OrderEvent.FILL_ALL) is OrderStatus.FILLED


def test_a_pair_not_in_the_table_raises():
    unknown = [pair for pair in product(OrderStatus, OrderEvent) if pair not in TRANSITIONS]
    assert unknown
    for status, event in unknown:
        with pytest.raises(OrderError):
            next_status(status, event)


def test_an_order_that_has_ended_trades_no_more_of_its_own_accord():
    ended = {status for status in OrderStatus if is_terminal(status)}
    names = {"FILLED", "CANCELLED", "REJECTED", "EXPIRED"}
    assert {status.name for status in ended} == names
    acts = {OrderEvent.TRIGGER, OrderEvent.AMEND, OrderEvent.ACCEPT, OrderEvent.CANCEL}
    assert not [pair for pair in TRANSITIONS if pair[0] in ended and pair[1] in acts]


def test_stored_numbers_stay():
    assert [status.value for status in OrderStatus] == list(range(12))
    assert (OrderStatus.FILLED, OrderStatus.UNTRIGGERED, OrderStatus.UNKNOWN) == (4, 7, 11)
