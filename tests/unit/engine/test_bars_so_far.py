"""Bars as far as they are known: kept once for all who are shown the same, apart where not."""

import pickle
from typing import Any

import numpy as np
import pytest

from openalpha.engine.bars_so_far import BarsSoFar, keep_bars_once
from tests.fakes.event_runs import perp

MINUTE_MS = 60_000


def bars_of(symbol: str = "BTCUSDT") -> BarsSoFar:
    return BarsSoFar(perp(symbol), MINUTE_MS)


def add(part: BarsSoFar, count: int, *, first: int = 0, **more: Any) -> None:
    for n in range(first, first + count):
        part.add(n * MINUTE_MS, (100 + n, 110 + n, 90 + n, 105 + n, 7), **more)


def bytes_of(part: BarsSoFar) -> list[bytes]:
    bars = part.bars()
    columns = (bars.open, bars.high, bars.low, bars.close, bars.volume, bars.funding_rate)
    return [np.asarray(one).tobytes() for one in (bars.ts_ms, *columns, bars.mark_close)]


def test_those_of_one_instrument_keep_their_bars_once_each_as_far_as_it_has_come() -> None:
    one, two, other = bars_of(), bars_of(), bars_of("ETHUSDT")
    keep_bars_once([one, two, other])
    add(one, 3_000)
    add(two, 1_000)
    assert (len(one), len(two), len(other)) == (3_000, 1_000, 0)
    assert two.last_ts_ms() == 999 * MINUTE_MS and len(two.bars().close) == 1_000
    assert np.shares_memory(one.bars().close, two.bars().close)
    add(two, 2_000, first=1_000)
    alone = bars_of()
    add(alone, 3_000)
    assert bytes_of(one) == bytes_of(two) == bytes_of(alone)
    assert not np.shares_memory(one.bars().close, alone.bars().close)
    again = pickle.loads(pickle.dumps([one, two]))
    assert np.shares_memory(again[0].bars().close, again[1].bars().close)


@pytest.mark.parametrize("what", ["bar", "mark", "funding", "stamp"])
def test_one_that_is_shown_another_bar_goes_on_alone(what: str) -> None:
    one, two, alone = bars_of(), bars_of(), bars_of()
    keep_bars_once([one, two])
    add(one, 20)
    for part in (two, alone):
        add(part, 10)
        if what == "bar":
            part.add(10 * MINUTE_MS, (110, 121, 100, 115, 7))
        elif what == "stamp":
            part.add(11 * MINUTE_MS, (110, 120, 100, 115, 7))
        else:
            more: dict[str, Any] = {"mark": {"mark_close": 5}, "funding": {"rates_e12": (3, 4)}}
            add(part, 1, first=10, **more[what])
        add(part, 9, first=12)
    assert bytes_of(two) == bytes_of(alone)
    plain = bars_of()
    add(plain, 20)
    assert bytes_of(one) == bytes_of(plain), "the other one is as it was"


def test_a_column_that_begins_late_has_nothing_before() -> None:
    part = bars_of()
    add(part, 1_500)
    assert np.isnan(part.bars().mark_close).all() and len(part.bars().mark_close) == 1_500
    add(part, 1_500, first=1_500, mark_close=200)
    found = part.bars().mark_close
    assert np.isnan(found[:1_500]).all() and len(set(found[1_500:].tolist())) == 1
