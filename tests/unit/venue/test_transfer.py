"""A deposit of a spot coin is a position in it (rule A1), on the bar path as in the book."""

import numpy as np

from openalpha.venue.kernel.machine import Machine
from openalpha.venue.kernel.setup import AccountSetup, InstrumentSetup, OrderRequest, make_market

SPOT = 0


def test_coins_from_outside_can_be_sold_on_the_bar_path() -> None:
    bars = np.full((1, 3, 5), 100, dtype=np.int64)
    market, spans = make_market(np.array([0, 60_000, 120_000], dtype=np.int64), bars)
    machine = Machine(
        (InstrumentSetup(SPOT, base_coin=1),), AccountSetup((10_000,)), market, spans, 60_000
    )
    machine.run(1)
    machine.transfer(1, 60_000, 7)
    assert machine.position(0)[0] == 7
    machine.submit(0, 60_000, OrderRequest(side=-1, qty=5))
    machine.run(3)
    assert machine.balances() == [10_500, 2]
    assert machine.position(0)[0] == 2
