"""Round trips: stories with known answers, and a plain count over random fills."""

from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openalpha.core.instruments import Instrument, Kind, StepRule, instrument_id
from openalpha.core.messages import EffectKind
from openalpha.research.facts import CashColumns, FillColumns
from openalpha.research.roundtrips import PriceBars, RoundTrips, round_trips
from tests.fakes.engine_run import fake_run, perp


def fills(*rows: tuple[float, ...], instrument: str = "bybit_linear:BTCUSDT") -> pl.DataFrame:
    """Each row: signed quantity, price[, fee[, realised[, leg]]]; a minute apart."""
    out = []
    for seq, row in enumerate(rows):
        qty, price, fee, realised, leg = (*row, *(0.0,) * (5 - len(row)))
        out.append(
            {
                "seq": seq, "ts_ms": 60_000 * seq, "order_id": seq, "side": 1 if qty > 0 else -1,
                "leg": int(leg), "role": 1, "reason": seq + 1, "price": price, "qty": abs(qty),
                "notional": abs(qty) * price, "fee": fee, "fee_coin": "USDT",
                "realised_pnl": realised, "spread_cost": 0.0, "impact_cost": 0.0,
                "instrument": instrument,
            }
        )  # fmt: skip
    return pl.DataFrame(out, infer_schema_length=None)


def found(
    frame: pl.DataFrame, *instruments: Instrument, cash: CashColumns | None = None
) -> RoundTrips:
    columns = FillColumns.of(frame, instruments=instruments, currency="USDT")
    return round_trips(columns, instruments, cash=cash)


@pytest.fixture(scope="module")
def btc() -> Instrument:
    return perp()


def test_scaling_in_and_out_is_one_round_trip(btc: Instrument) -> None:
    trips = found(fills((1, 100, 1), (1, 110, 1), (-0.5, 120, 1, 7.5), (-1.5, 130, 1, 37.5)), btc)
    assert len(trips) == 1
    assert (trips.qty[0], trips.entry_price[0], trips.exit_price[0]) == (2.0, 105.0, 127.5)
    assert (trips.gross_pnl[0], trips.fees[0], trips.pnl[0]) == (45.0, 4.0, 41.0)
    assert (trips.fills[0], trips.exit_reason[0], trips.entry_notional[0]) == (4, 4, 210.0)
    assert trips.returns[0] == pytest.approx(41 / 210)


def test_a_flip_in_one_fill_ends_one_and_begins_the_next(btc: Instrument) -> None:
    trips = found(fills((1, 100, 1), (-3, 110, 3, 10), (2, 90, 2, 40)), btc)
    assert trips.direction.tolist() == [1, -1]
    assert trips.fees.tolist() == [2.0, 4.0]  # the flip's fee split by quantity
    assert trips.pnl.tolist() == [8.0, 36.0]
    assert trips.qty.tolist() == [1.0, 2.0]


def test_an_open_position_is_no_round_trip(btc: Instrument) -> None:
    trips = found(fills((1, 100), (-1, 110, 0, 10), (1, 100), (-0.5, 120, 0, 10)), btc)
    assert trips.pnl.tolist() == [10.0]


def test_no_fill_no_round_trip(btc: Instrument) -> None:
    empty = fills((1, 100)).clear()
    assert len(found(empty, btc)) == 0


def test_long_and_short_legs_are_separate(btc: Instrument) -> None:
    trips = found(fills((1, 100), (-1, 100, 0, 0, 1), (-1, 110, 0, 10), (1, 110, 0, -10, 1)), btc)
    assert trips.direction.tolist() == [1, -1]
    assert trips.pnl.tolist() == [10.0, -10.0]


def test_instruments_are_separate_and_sorted_by_exit() -> None:
    btc, eth = perp(), perp("ETHUSDT")
    name = str(eth.id)
    frame = fills((1, 100), (1, 10), (-1, 12, 0, 2), (-1, 110, 0, 10)).with_columns(
        instrument=pl.Series([str(btc.id), name, name, str(btc.id)])
    )
    trips = found(frame, btc, eth)
    assert trips.instrument.tolist() == [1, 0]
    assert trips.pnl.tolist() == [2.0, 10.0]


def test_what_one_instrument_leaves_open_is_not_in_the_next_ones_trips() -> None:
    btc, eth = perp(), perp("ETHUSDT")
    names = [str(btc.id), str(eth.id), str(eth.id)]
    frame = fills((7, 100, 5), (1, 10), (-1, 12, 0, 2)).with_columns(instrument=pl.Series(names))
    trips = found(frame, btc, eth)
    assert (trips.qty.tolist(), trips.pnl.tolist()) == ([1.0], [2.0])


def test_spot_dust_below_a_lot_counts_as_flat() -> None:
    spot = Instrument(
        instrument_id("bybit_spot", "BTCUSDT"), Kind.SPOT, "BTC", "USDT", "USDT", 1, 8,
        (StepRule(0, Decimal("0.1"), Decimal("0.001")),),
    )  # fmt: skip
    # The fee of the buy is taken in the coin: 0.9994 arrive, 0.999 can be sold, 0.0004 stay.
    frame = fills((1, 100, 0.0006), (-0.999, 110, 0.1, 10), instrument=str(spot.id))
    frame = frame.with_columns(fee_coin=pl.Series(["BTC", "USDT"]))
    trips = found(frame, spot)
    assert len(trips) == 1
    assert trips.fees[0] == pytest.approx(0.06 + 0.1)


def test_funding_goes_to_the_trip_it_was_paid_in(btc: Instrument) -> None:
    stamps = np.array([0, 30_000, 60_000, 90_000, 150_000])  # entry at 0, exit at 60,000
    cash = CashColumns(
        stamps, np.full(5, int(EffectKind.FUNDING)), np.zeros(5, np.int64),
        np.array([1.0, 2.0, 4.0, 8.0, 16.0]),
    )  # fmt: skip
    trips = found(fills((1, 100), (-1, 110, 0, 10), (1, 100), (-1, 110, 0, 10)), btc, cash=cash)
    # Funding settles before a fill of the same moment: not 1 (before entry), but 2 and 4.
    assert trips.funding.tolist() == [6.0, 16.0]
    assert trips.pnl.tolist() == [16.0, 26.0]


def test_excursions_are_the_furthest_prices_of_the_bars_held(btc: Instrument) -> None:
    trips = found(fills((1, 100), (-1, 110, 0, 10), (-1, 110), (1, 100, 0, 10)), btc)
    bars = PriceBars(
        np.arange(5) * 60_000,
        np.array([101, 115, 112, 111, 300.0]),
        np.array([90, 99, 95, 98, 1.0]),
    )
    adverse, favourable = trips.excursions({0: bars})
    assert adverse == pytest.approx([0.10, 112 / 110 - 1])
    assert favourable == pytest.approx([0.15, 1 - 95 / 110])
    missing, _ = trips.excursions({})
    assert np.isnan(missing).all()


@dataclass
class Plain:
    """Walks fills one by one, in words."""

    held: int = 0
    pnl: float = 0.0
    done: list[tuple[int, float]] | None = None

    def walk(self, rows: list[tuple[int, float]]) -> list[tuple[int, float]]:
        done = []
        for lots, fee in rows:
            before, self.held = self.held, self.held + lots
            if before == 0:
                self.pnl = -fee
            elif before * lots > 0 or before * self.held > 0:
                self.pnl -= fee
            else:
                closing = fee * abs(before) / abs(lots)
                done.append((1 if before > 0 else -1, self.pnl - closing))
                self.pnl = -(fee - closing)
        return done


@given(
    st.lists(
        st.tuples(st.sampled_from([-3, -2, -1, 1, 2, 3]), st.integers(0, 9)), max_size=40
    )
)  # fmt: skip
def test_equals_a_plain_walk(rows: list[tuple[int, int]]) -> None:
    btc = Instrument(
        instrument_id("x_linear", "BTCUSDT"), Kind.LINEAR, "BTC", "USDT", "USDT", 1, 3,
        (StepRule(0, Decimal("0.1"), Decimal("0.001")),),
    )  # fmt: skip
    frame = fills(*((lots / 1000, 100.0, float(fee)) for lots, fee in rows))
    if not rows:
        frame = fills((1, 1)).clear()
    trips = found(frame, btc)
    expected = Plain().walk([(lots, float(fee)) for lots, fee in rows])
    assert trips.direction.tolist() == [direction for direction, _ in expected]
    assert trips.pnl == pytest.approx([pnl for _, pnl in expected])


def test_all_trips_and_the_open_one_make_the_account() -> None:
    run = fake_run(3_000, changes=101)
    instruments = (run.history.instrument,)
    columns = FillColumns.of(run.fills.to_frame(), instruments=instruments, currency="USDT")
    cash = CashColumns.of(run.effects.to_frame(), instruments=instruments, currency="USDT")
    trips = round_trips(columns, instruments, cash=cash)
    held = columns.held_units.sum()
    booked = columns.realised_pnl.sum() - columns.fee.sum() + cash.amount.sum()
    if held == 0:
        assert trips.pnl.sum() == pytest.approx(booked)
    else:
        left = cash.amount[cash.ts_ms > columns.ts_ms[-1]].sum() - columns.fee[-1]
        assert trips.pnl.sum() == pytest.approx(booked - left)
