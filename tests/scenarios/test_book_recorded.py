"""Recorded depth and trades through the book: it keeps in step with the market's best prices."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from openalpha.core.orders import OrderType, Role
from openalpha.venue.kernel import book_market as event
from openalpha.venue.kernel import layout as at
from openalpha.venue.kernel.book_events import depth_rows, in_time_order, trade_rows
from openalpha.venue.kernel.exchange import BookMachine
from openalpha.venue.kernel.layout import I64
from openalpha.venue.kernel.setup import AccountSetup, InstrumentSetup, OrderRequest

SYMBOL = "BTCUSDT_20240808"
BTC = InstrumentSetup(at.LINEAR, den=100, maker_e8=20_000, taker_e8=50_000, leverage_e2=1_000)


def units(frame: pl.DataFrame, name: str, decimals: int) -> I64:
    scaled = (frame[name] * 10**decimals).round().cast(pl.Int64)
    return scaled.to_numpy()


def signs(frame: pl.DataFrame, positive: str) -> I64:
    return np.where((frame["side"] == positive).to_numpy(), 1, -1).astype(np.int64)


def depth_of(frame: pl.DataFrame, price_decimals: int, qty_decimals: int) -> I64:
    is_snapshot = (frame["kind"] == "snapshot").to_numpy().astype(np.int64)
    stamps = np.maximum.accumulate(frame["ts"].to_numpy())
    price, qty = units(frame, "price", price_decimals), units(frame, "qty", qty_decimals)
    return depth_rows(0, stamps, is_snapshot, signs(frame, "bid"), price, qty)


@pytest.fixture(scope="module")
def recorded(request: pytest.FixtureRequest) -> tuple[I64, pl.DataFrame]:
    folder: Path = request.getfixturevalue("real_data")
    depth = pl.read_parquet(folder / f"book/binance_usdm/{SYMBOL}_depth.parquet")
    first = depth.filter(pl.col("kind") == "snapshot")["final_u"][0]
    depth = depth.filter((pl.col("kind") == "snapshot") | (pl.col("final_u") >= first))
    tape = pl.read_parquet(folder / f"trades/binance_usdm/{SYMBOL}.parquet")
    tape = tape.filter(pl.col("ts") >= depth["ts"].min())
    prints = trade_rows(
        0, tape["ts"].to_numpy(), signs(tape, "buy"), units(tape, "price", 1), units(tape, "qty", 3)
    )
    quotes = pl.read_parquet(folder / f"quotes/binance_usdm/{SYMBOL}_bbo.parquet")
    return in_time_order(prints, depth_of(depth, 1, 3)), quotes


def test_best_prices_follow_the_market(real_data: Path, recorded: tuple[I64, pl.DataFrame]) -> None:
    events, quotes = recorded
    bids, asks = quotes["bid"], quotes["ask"]
    stamps = quotes["ts"].to_numpy()
    venue = BookMachine((BTC,), (AccountSetup((10**12,)),))
    cuts = np.searchsorted(events[:, event.V_TS], np.linspace(*events[[5_000, -1], 0], 60))
    gaps, start = [], 0
    for cut in cuts:
        venue.replay(events[start:cut])
        start = int(cut)
        bid, ask = venue.best(0)
        assert 0 < bid < ask
        row = int(np.searchsorted(stamps, venue.now_ms, side="right")) - 1
        middle = (bids[row] + asks[row]) / 2
        gaps.append(abs((bid + ask) / 20 - middle))
    assert np.median(gaps) < 1.0


def test_a_quoting_account_and_a_taker_on_a_recorded_market(
    real_data: Path, recorded: tuple[I64, pl.DataFrame]
) -> None:
    """Money and positions add up, makers are never filled better than their limits."""
    events, _ = recorded
    venue = BookMachine((BTC,), (AccountSetup((10**12,)), AccountSetup((10**12,))))
    start = 0
    for cut in range(5_000, len(events), 20_000):
        venue.replay(events[start:cut])
        start = cut
        for side, best in zip((1, -1), venue.best(0), strict=True):
            quote = OrderRequest(side, 20, int(OrderType.LIMIT), best)
            venue.submit(0, venue.now_ms, quote)
        venue.submit(0, venue.now_ms, OrderRequest(1 - 2 * (cut // 20_000 % 2), 5, account=1))
    venue.replay(events[start:])
    fills = venue.fills
    makers = fills[fills[:, at.F_ROLE] == Role.MAKER]
    assert len(makers) > 10
    assert set(makers[:, at.F_ACCT]) == {0}
    for account in (0, 1):
        mine = fills[fills[:, at.F_ACCT] == account]
        assert venue.position(account, 0)[0] == mine[:, at.F_QTY].sum()
        effects = venue.effects[venue.effects[:, at.E_ACCT] == account]
        assert venue.balances(account)[0] == 10**12 + effects[:, at.E_AMOUNT].sum()
    assert not len(venue.done) or set(venue.done[:, at.D_STATUS]) == {at.FILLED}


def test_a_feed_of_snapshot_and_changes(real_data: Path) -> None:
    frame = pl.read_parquet(real_data / "book/bybit_linear/XRPUSDT_20241201_ob500.parquet")
    venue = BookMachine((InstrumentSetup(at.LINEAR),), (AccountSetup((1,)),))
    venue.replay(depth_of(frame, 4, 0))
    book: dict[tuple[str, float], float] = {}
    for kind, side, price, qty in frame.select("kind", "side", "price", "qty").iter_rows():
        assert kind == "snapshot" or book
        book[side, price] = qty
    sides = []
    for name, is_bid in (("bid", True), ("ask", False)):
        levels = [(round(p * 10**4), int(q)) for (s, p), q in book.items() if s == name and q > 0]
        sides.append(sorted(levels, reverse=is_bid))
    assert list(venue.depth(0)) == sides
