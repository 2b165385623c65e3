"""Order terms in words and floats become ticks, lots and switches, or a sentence."""

import math

import pytest

from openalpha.core.errors import InputError
from openalpha.engine.terms import Terms
from openalpha.strategy.params import Exits
from openalpha.venue.kernel import layout as at
from openalpha.venue.kernel.setup import InstrumentSetup
from tests.fakes.event_runs import HOUR_MS, perp

# Prices have two decimals and a tick of 0.1 (0.5 later), quantities four and a lot of 0.001.
LATER_MS = 1_000


@pytest.fixture
def terms() -> Terms:
    setup = InstrumentSetup(at.LINEAR, steps=((0, 10, 10), (LATER_MS, 50, 100)))
    return Terms(perp(), setup.steps, timeframe_ms=HOUR_MS, exits=Exits(stop_e6=30_000))


@pytest.mark.parametrize(
    ("qty", "units"),
    [
        (0.001, 10),
        (0.0019, 10),
        (0.00199999, 10),
        (0.0009, 0),
        (0.1 + 0.2, 3000),
        (0.3 * 3, 9000),  # 0.8999999999999999: the last bit must not cost a lot
        (0.29 * 100, 290_000),
        (1, 10_000),
    ],
)
def test_a_quantity_is_rounded_down_to_a_lot(terms: Terms, qty: float, units: int) -> None:
    assert terms.request(1, qty, terms={}, ts_ms=0).qty == units


@pytest.mark.parametrize(
    ("side", "what", "price", "units"),
    [
        (1, "limit", 100.17, 10_010),
        (-1, "limit", 100.11, 10_020),
        (1, "limit", 100.3, 10_030),
        (-1, "limit", 100.3, 10_030),
        (1, "stop", 100.11, 10_020),
        (-1, "stop", 100.17, 10_010),
        (1, "take_profit", 100.17, 10_010),
        (-1, "take_profit", 100.11, 10_020),
        (1, "limit", 0.01, 10),
    ],
)
def test_a_price_is_rounded_outward(
    terms: Terms, side: int, what: str, price: float, units: int
) -> None:
    made = terms.request(side, 1, terms={what: price}, ts_ms=0)
    assert (made.limit if what == "limit" else made.trigger) == units


def test_the_steps_in_force_at_the_time_are_used(terms: Terms) -> None:
    before = terms.request(1, 0.019, terms={"limit": 100.3}, ts_ms=LATER_MS - 1)
    after = terms.request(1, 0.019, terms={"limit": 100.3}, ts_ms=LATER_MS)
    assert (before.qty, before.limit) == (190, 10_030)
    assert (after.qty, after.limit) == (100, 10_000)


@pytest.mark.parametrize(
    ("given", "kind", "order_type", "tif"),
    [
        ({}, at.NO_TRIGGER, at.MARKET, at.GTC),
        ({"tif": "IOC"}, at.NO_TRIGGER, at.MARKET, at.IOC),
        ({"limit": 99, "tif": "FOK"}, at.NO_TRIGGER, at.LIMIT, at.FOK),
        ({"limit": 99, "post_only": True}, at.NO_TRIGGER, at.LIMIT, at.POST_ONLY),
        ({"stop": 99}, at.STOP, at.MARKET, at.GTC),
        ({"stop": 99, "limit": 98}, at.STOP, at.LIMIT, at.GTC),
        ({"take_profit": 101, "limit": None}, at.TAKE_PROFIT, at.MARKET, at.GTC),
    ],
)
def test_words_become_switches(
    terms: Terms, given: dict[str, object], kind: int, order_type: int, tif: int
) -> None:
    made = terms.request(-1, 1, terms=given, ts_ms=0)
    assert (made.trigger_kind, made.order_type, made.tif) == (kind, order_type, tif)


def test_exits_are_the_orders_own_else_the_parameters_and_none_when_reducing(terms: Terms) -> None:
    own = Exits(trailing_e6=10_000, activation_e6=5_000, time_exit_bars=3)
    made = terms.request(1, 1, terms={"exits": own}, ts_ms=0)
    assert (made.stop_e6, made.trailing_e6, made.activation_e6) == (0, 10_000, 5_000)
    assert made.time_exit_ms == 3 * HOUR_MS
    assert terms.request(1, 1, terms={}, ts_ms=0).stop_e6 == 30_000
    assert terms.request(1, 1, terms={"exits": Exits()}, ts_ms=0).stop_e6 == 0
    assert terms.request(1, 1, terms={"reduce_only": True}, ts_ms=0).stop_e6 == 0


@pytest.mark.parametrize(
    ("qty", "given", "words"),
    [
        (0, {}, "quantity was 0.0; it must be a number above 0"),
        (-1, {}, "above 0"),
        (math.nan, {}, "quantity was nan"),
        (math.inf, {}, "quantity was inf"),
        ("a lot", {}, "quantity was 'a lot', expected a number"),
        (1, {"limit": math.nan}, "limit price was nan"),
        (1, {"stop": -5}, "trigger price was -5.0"),
        (1, {"stop": 90, "take_profit": 110}, "one trigger"),
        (1, {"price": 100}, "no term 'price'"),
        (1, {"tif": "DAY"}, "tif was 'DAY', expected GTC, IOC, FOK"),
        (1, {"post_only": True}, "post_only needs a limit"),
        (1, {"limit": 99, "post_only": True, "tif": "IOC"}, "post_only needs"),
        (1, {"exits": {"stop": 3}}, "expected Exits"),
    ],
)
def test_what_cannot_be_meant_is_a_sentence(
    terms: Terms, qty: object, given: dict[str, object], words: str
) -> None:
    with pytest.raises(InputError, match=words.replace("(", r"\(")):
        terms.request(1, qty, terms=given, ts_ms=0)
