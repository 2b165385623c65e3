"""Candles of every interval: weeks from Monday, months as the calendar has them."""

import numpy as np
import pytest

from openalpha.core.clock import DAY_MS, HOUR_MS, format_ms
from openalpha.venue.twin.intervals import INTERVALS, end_of, starts_of
from openalpha.venue.twin.sockets import Hub
from tests.fakes.twin import LINEAR, START_MS, Client, Ear, new_exchange, wait


@pytest.mark.parametrize("interval", INTERVALS)
def test_candles_follow_each_other_without_a_gap(interval: str) -> None:
    moments = np.arange(START_MS, START_MS + 800 * DAY_MS, 7 * HOUR_MS, dtype=np.int64)
    starts = np.unique(starts_of(moments, interval))
    assert (starts_of(starts, interval) == starts).all()
    ends = np.array([end_of(int(start), interval) for start in starts])
    assert (starts_of(ends, interval) == starts).all()
    assert (starts_of(ends + 1, interval) == ends + 1).all()
    if interval in ("D", "W", "M"):
        assert (starts[1:] == ends[:-1] + 1).all()


def test_months_are_those_of_the_calendar() -> None:
    exchange = new_exchange(step_ms=HOUR_MS)
    me, ear = Client.of(exchange), Ear(Hub(exchange), "/v5/public/linear")
    ear.say(op="subscribe", args=["kline.M.BTCUSDT"])
    wait(exchange, 40 * DAY_MS)
    rows = me.get("/v5/market/kline", **LINEAR, interval="M")["list"]
    days = [format_ms(int(row[0]))[:10] for row in rows]
    assert days == ["2023-12-01", "2023-11-01"]
    told = [message["data"][0] for message in ear.hear() if "data" in message]
    november, december = (int(row[0]) for row in reversed(rows))
    assert [(row["start"], row["confirm"]) for row in told] == [(november, True), (december, False)]
    assert [format_ms(row["end"] + 1)[:10] for row in told] == ["2023-12-01", "2024-01-01"]
