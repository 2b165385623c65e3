"""What an event strategy is told of its account when it trades several instruments."""

import math
from typing import Any

import pytest

from openalpha.core.errors import InputError
from tests.fakes.event_runs import Script, market, perp, play


def test_the_position_of_each_instrument_is_known() -> None:
    seen: list[tuple[float, ...]] = []

    def on_bar(ctx: Any) -> None:
        names = ("bybit_linear:BTCUSDT", "bybit_linear:ETHUSDT")
        seen.append(tuple(ctx.position_of(name) for name in names))
        assert ctx.position_of(names[0]) == ctx.position
        if ctx.index == 1:
            ctx.buy(2)
            ctx.sell(3, instrument=names[1])
        if ctx.index == 3:
            assert (ctx.entry_price_of(names[0]), ctx.entry_price_of(names[1])) == (101, 51)
            ctx.close_position(instrument=names[1])
        if ctx.index == 5:
            assert math.isnan(ctx.entry_price_of(names[1]))
            with pytest.raises(InputError, match="no instrument 'DOGE' here"):
                ctx.position_of("DOGE")

    eth = perp("ETHUSDT")
    play(Script(on_bar), market([100, 101] * 3), market([50, 51] * 3, instrument=eth))
    assert seen == [(0, 0), (0, 0), (2, -3), (2, -3), (2, 0), (2, 0)]
