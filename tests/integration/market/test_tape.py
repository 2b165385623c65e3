"""Recorded depth and trades become one story: in the venue's order, from a whole book on."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from openalpha.core.clock import SECOND_MS, ManualClock, parse_ms
from openalpha.core.errors import DataError
from openalpha.market.blocks import Block
from openalpha.market.frames import history
from openalpha.market.importers import import_paths
from openalpha.market.lake import Lake
from openalpha.market.series import SeriesKey, SeriesKind
from openalpha.market.tape import recorded_history, tape_of

START = parse_ms("2024-03-01")
NAME = "moon_linear:AAAUSDT"
BOOK = SeriesKey("moon_linear", "AAAUSDT", SeriesKind.BOOK)
TRADES = SeriesKey("moon_linear", "AAAUSDT", SeriesKind.TRADES)


def keep(lake: Lake, key: SeriesKey, rows: list[dict[str, int]], decimals: tuple[int, int]) -> None:
    frame = pl.DataFrame(rows).with_columns(
        pl.col("ts") + START, arrival_ns=pl.int_range(pl.len()) + START * 1_000_000
    )
    if key is TRADES:
        frame = frame.with_columns(trade_id=pl.lit(""))
    schema = key.polars_schema()
    frame = frame.select(list(schema)).cast(schema)  # type: ignore[arg-type]
    lake.merge(key, Block(frame, *decimals), source="made up")


def level(ts: int, side: int, price: int, qty: int, *, u: int, snapshot: int = 0) -> dict[str, int]:
    return {
        "ts": ts, "side": side, "price": price, "qty": qty, "is_snapshot": snapshot,
        "first_u": u, "final_u": u, "prev_u": -1,
    }  # fmt: skip


def trade(ts: int, side: int, price: int, qty: int) -> dict[str, int]:
    return {"ts": ts, "side": side, "price": price, "qty": qty}


@pytest.fixture
def recorded(lake: Lake) -> Lake:
    keep(
        lake,
        BOOK,
        [
            level(5, 1, 990, 1, u=7),  # in the snapshot already
            level(8, 1, 995, 2, u=11),  # after it, though it arrived before
            level(4, 1, 1000, 5, u=10, snapshot=1),
            level(4, -1, 1010, 6, u=10, snapshot=1),
            level(6, 1, 1000, 9, u=9),
            level(20, -1, 1010, 3, u=12),
            level(5_000, -1, 1010, 4, u=13),
        ],
        (1, 0),
    )
    prints = [(900, 1, 10_100, 2), (2_500, -1, 10_055, 30), (2_400, 1, 10_070, 10)]
    keep(lake, TRADES, [trade(*one) for one in (*prints, (4_999, 1, 10_100, 1))], (2, 1))
    return lake


def test_bars_are_made_of_the_trades_while_both_are_recorded(recorded: Lake) -> None:
    made = recorded_history(recorded, NAME, timeframe_ms=SECOND_MS)
    assert ((made.ts_ms - START) // SECOND_MS).tolist() == [1, 2, 3]
    columns = [made.column(n).tolist() for n in ("open", "high", "low", "close", "volume")]
    flat = [101.0] * 4 + [0.0]
    assert [list(row) for row in zip(*columns, strict=True)] == [
        flat, [100.55, 100.7, 100.55, 100.7, 4.0], [100.7] * 4 + [0.0],
    ]  # fmt: skip
    assert made.instrument.price_decimals == 2
    part = recorded_history(
        recorded, NAME, timeframe_ms=SECOND_MS, span=(START + 1_500, START + 3_000)
    )
    assert (part.ts_ms - START).tolist() == [2_000]


def test_the_book_begins_with_its_snapshot_and_follows_the_venues_numbers(recorded: Lake) -> None:
    tape = tape_of(recorded, recorded_history(recorded, NAME, timeframe_ms=SECOND_MS))
    assert (tape.depth - [START, 0, 0, 0, 0]).tolist() == [
        # stamp, in a snapshot, side, price in hundredths, quantity in tenths
        [4, 1, 1, 10_000, 50],
        [4, 1, -1, 10_100, 60],
        [8, 0, 1, 9_950, 20],
        [20, 0, -1, 10_100, 30],
    ]
    assert (tape.trades - [START, 0, 0, 0]).tolist() == [
        [900, 1, 10_100, 2], [2_500, -1, 10_055, 30], [2_500, 1, 10_070, 10],
    ]  # fmt: skip
    again = tape_of(
        recorded,
        recorded_history(recorded, NAME, timeframe_ms=SECOND_MS, span=(None, START + 3_000)),
    )
    assert again.fingerprint != ""
    assert len(again.depth) == 4


def test_what_is_not_recorded_is_refused(recorded: Lake, lake: Lake) -> None:
    with pytest.raises(DataError, match="needs recorded depth and trades of x:Y"):
        recorded_history(lake, "x:Y", timeframe_ms=SECOND_MS)
    with pytest.raises(DataError, match="holds no whole 1m bar"):
        recorded_history(recorded, NAME, timeframe_ms=60_000)
    stamps = START + SECOND_MS * np.arange(-3, 3)
    price = [100.0] * 6
    frame = pl.DataFrame({"ts": stamps, "open": price, "high": price, "low": price,
                          "close": price, "volume": price})  # fmt: skip
    early = history(frame, instrument=NAME)
    with pytest.raises(DataError, match=r"recorded for .* only; test within it"):
        tape_of(recorded, early)
    with pytest.raises(DataError, match="are finer than the bars given; name the instrument"):
        tape_of(recorded, history(frame[4:], instrument=NAME))


def test_the_recorded_tape_has_every_message(real_data: Path, tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    folders = [real_data / kind / "binance_spot" for kind in ("trades", "book")]
    import_paths(lake, folders, clock=ManualClock(parse_ms("2026-01-01")))
    made = recorded_history(lake, "binance_spot:BTCUSDT", timeframe_ms=SECOND_MS)
    tape = tape_of(lake, made)
    assert len(made) > 300
    assert tape.depth[0, 1] == 1
    assert (np.diff(tape.depth[:, 0]) >= 0).all()
    assert len(tape.depth) > 120_000
    prints = tape.trades[tape.trades[:, 0] >= made.ts_ms[0]]
    assert prints[:, 3].sum() == made.bars[:, 4].sum()
