"""Files as their vendors write them come into the lake, and unfit rows are named one by one."""

import csv
import gzip
import json
import zipfile
from pathlib import Path

import polars as pl
import pytest

from openalpha.core.clock import HOUR_MS, MINUTE_MS, ManualClock
from openalpha.core.errors import DataError, InputError
from openalpha.market.importers import Stated, import_paths
from openalpha.market.lake import Lake

START = 1_704_067_200_000
CLOCK = ManualClock(START + 1_000 * HOUR_MS)
BARS = [(100.5, 101.0, 100.0, 100.75, 12.5), (100.75, 102.25, 100.5, 102.0, 3.0)]
BAR_LINES = "100.5,101,100,100.75,12.5", "100.75,102.25,100.5,102,3"
HEADER = "ts,open,high,low,close,volume\n"
KLINE_REST = ",1704067259999,0,10,0,0,0"


def ours(step: int = MINUTE_MS, unit: int = 1) -> str:
    return "".join(f"{(START + i * step) * unit},{line}\n" for i, line in enumerate(BAR_LINES))


def klines(unit: int = 1) -> str:
    rows = zip((START, START + MINUTE_MS), BAR_LINES, strict=True)
    return "".join(f"{ts * unit},{line}{KLINE_REST}\n" for ts, line in rows)


KLINE_HEADER = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,"
    "taker_buy_volume,taker_buy_quote_volume,ignore\n"
)


def feather(path: Path) -> None:
    frame = pl.DataFrame(BARS, schema=["open", "high", "low", "close", "volume"], orient="row")
    stamps = pl.from_epoch(pl.Series([START, START + HOUR_MS]), "ms").dt.replace_time_zone("UTC")
    frame.insert_column(0, stamps.alias("date")).write_ipc(path, compression="lz4")


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    elif path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(path.with_suffix(".csv").name, text)
    else:
        path.write_text(text)
    return path


LIST = json.dumps([[START + i * HOUR_MS, *bar] for i, bar in enumerate(BARS)])
BAR_LAYOUTS = {
    "ours": ("ohlcv/bybit_linear/BTCUSDT_1m.csv", HEADER + ours(), "bybit_linear:BTCUSDT bars 1m"),
    "ours with a label": (
        "ohlcv/bybit_spot/BTCUSDT_1m_2022.csv.gz", HEADER + ours(), "bybit_spot:BTCUSDT bars 1m"),
    "ours in seconds": (
        "ohlcv/x_spot/AB_1m.csv", HEADER + ours().replace("000,1", ",1"), "x_spot:AB bars 1m"),
    "iso times": (
        "ohlcv/x_spot/AB_1m.csv",
        "timestamp,Open,High,Low,Close,Volume\n"
        f"2024-01-01T00:00:00Z,{BAR_LINES[0]}\n2024-01-01T00:01:00Z,{BAR_LINES[1]}\n",
        "x_spot:AB bars 1m"),
    "binance without header": (
        "data/futures/um/monthly/klines/BTCUSDT/1m/BTCUSDT-1m-2024-01.zip", klines(),
        "binance_usdm:BTCUSDT bars 1m"),
    "binance with header": (
        "futures/um/BTCUSDT-1m-2024-01-01.csv", KLINE_HEADER + klines(),
        "binance_usdm:BTCUSDT bars 1m"),
    "binance spot in microseconds": (
        "spot/BTCUSDT-1m-2025-01.csv", klines(1_000), "binance_spot:BTCUSDT bars 1m"),
    "freqtrade json": (
        "bybit/futures/BTC_USDT_USDT-1h-futures.json.gz", LIST, "bybit_linear:BTCUSDT bars 1h"),
    "freqtrade spot json": ("binance/BTC_USDT-1h.json", LIST, "binance_spot:BTCUSDT bars 1h"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAR_LAYOUTS)
def test_bars_of_every_layout_come_in(case, lake, tmp_path):
    name, text, series = BAR_LAYOUTS[case]
    write(tmp_path / "in" / name, text)
    report = import_paths(lake, [tmp_path / "in"], clock=CLOCK)
    assert [(item.series, item.added, item.skipped) for item in report.files] == [(series, 2, "")]
    market, timeframe = series.split()[0], series.split()[2]
    found = lake.load(market, timeframe)
    assert found.ts_ms[0] == START
    for column, name in enumerate(("open", "high", "low", "close", "volume")):
        assert found.column(name).tolist() == [bar[column] for bar in BARS]


def test_freqtrade_feather_and_its_funding_come_in(lake, tmp_path):
    folder = tmp_path / "bybit" / "futures"
    folder.mkdir(parents=True)
    feather(folder / "BTC_USDT_USDT-1h-futures.feather")
    feather(folder / "BTC_USDT_USDT-1h-mark.feather")
    rates = (
        HEADER.replace("ts", "date")
        + f"{START},0.0001,0,0,0,0\n{START + 8 * HOUR_MS},-0.0002,0,0,0,0\n"
    )
    write(folder / "BTC_USDT_USDT-8h-funding_rate.csv", rates)
    import_paths(lake, [tmp_path], clock=CLOCK)
    found = lake.load("bybit_linear:BTCUSDT", "1h")
    assert found.column("close").tolist() == [100.75, 102.0]
    assert found.column("mark_close").tolist() == [100.75, 102.0]
    assert found.funding_rate_e12.tolist() == [100_000_000]


def test_blank_lines_at_the_end_are_no_rows(lake, tmp_path):
    path = write(tmp_path / "ohlcv/x_spot/AB_1m.csv", HEADER + ours() + "\n\r\n  \n")
    (taken,) = import_paths(lake, [path], clock=CLOCK).files
    assert (taken.added, taken.rejected) == (2, 0)
    blank = write(tmp_path / "ohlcv/x_spot/AC_1m.csv", HEADER + ours().replace("\n", "\n\n"))
    with pytest.raises(DataError, match=r"AC_1m.csv row 3, column open: was missing"):
        import_paths(lake, [blank], clock=CLOCK)


def test_a_funding_rate_beside_the_bars_comes_in_as_funding(lake, tmp_path):
    lines = ours(HOUR_MS).splitlines()
    more = f"{START + 2 * HOUR_MS},100,101,99,100,5"
    text = (
        f"ts,open,high,low,close,volume,Funding_Rate\n{lines[0]},0.0001\n{lines[1]},\n{more},NaN\n"
    )
    path = write(tmp_path / "ohlcv/x_linear/AB_1h.csv", text)
    report = import_paths(lake, [path], clock=CLOCK)
    assert [(item.series, item.added) for item in report.files] == [
        ("x_linear:AB bars 1h", 3), ("x_linear:AB funding", 1),
    ]  # fmt: skip
    found = lake.load("x_linear:AB", "1h")
    assert found.funding_ts_ms.tolist() == [START]
    assert found.funding_rate_e12.tolist() == [100_000_000]
    wrong = write(tmp_path / "ohlcv/x_linear/AC_1h.csv", text.replace("0.0001", "much"))
    with pytest.raises(DataError, match=r"AC_1h.csv row 2, column rate: was missing or not a num"):
        import_paths(lake, [wrong], clock=CLOCK)
    assert [info.key.symbol for info in lake.series()] == ["AB", "AB"]
    # Spot pays none, and a column without a value says nothing.
    spot = write(tmp_path / "ohlcv/x_spot/AB_1h.csv", text)
    none = write(tmp_path / "ohlcv/y_linear/AB_1h.csv", text.replace("0.0001", ""))
    report = import_paths(lake, [spot, none], clock=CLOCK)
    assert [item.series for item in report.files] == ["x_spot:AB bars 1h", "y_linear:AB bars 1h"]


@pytest.mark.parametrize(
    "name",
    [
        "binance-futures_liquidations_2024-01-01_BTCUSDT.csv",
        "liquidations/bybit_linear/BTCUSDT.csv",
        "BTCUSDT-liquidationSnapshot-2024-01-01.csv",
    ],
)
def test_liquidations_are_refused_by_name(name, lake, tmp_path):
    _, text, _, _ = EVENTS["tardis trades"]
    path = write(tmp_path / "in" / name, text)
    with pytest.raises(InputError, match=r"liquidations are not kept; the lake holds bars, mark"):
        import_paths(lake, [path], clock=CLOCK)
    # In a folder it is named and left.
    write(tmp_path / "in" / "ohlcv/x_spot/AB_1m.csv", HEADER + ours())
    report = import_paths(lake, [tmp_path / "in"], clock=CLOCK)
    assert sorted(item.added for item in report.files) == [0, 2]


EVENTS = {
    "bybit trades": (
        "BTCUSDT2024-01-01.csv.gz",
        "timestamp,symbol,side,size,price,tickDirection,trdMatchID,grossValue,homeNotional,"
        "foreignNotional,RPI\n1704067200.1234,BTCUSDT,Buy,0.5,42000.5,PlusTick,aa-1,1,1,1,0\n"
        "1704067201.5,BTCUSDT,Sell,0.25,42000,MinusTick,aa-2,1,1,1,0\n",
        "bybit_linear:BTCUSDT trades",
        {"ts": [START + 123, START + 1500], "side": [1, -1], "price": [420005, 420000]}),
    "bybit spot trades": (
        "BTCUSDT_2024-01-01.csv.gz",
        f"id,timestamp,price,volume,side\n1,{START},42000.5,0.5,buy\n"
        f"2,{START + 9},42000,0.25,sell\n",
        "bybit_spot:BTCUSDT trades",
        {"ts": [START, START + 9], "side": [1, -1], "trade_id": ["1", "2"]}),
    "binance trades without header": (
        "spot/BTCUSDT-trades-2024-01-01.zip",
        f"7,42000.5,0.5,21000.25,{START},true,true\n8,42000,0.25,10500,{START + 9},false,true\n",
        "binance_spot:BTCUSDT trades",
        {"ts": [START, START + 9], "side": [-1, 1], "trade_id": ["7", "8"]}),
    "binance aggregated trades": (
        "futures/um/BTCUSDT-aggTrades-2024-01-01.csv",
        "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker\n"
        f"7,42000.5,0.5,1,2,{START},true\n8,42000,0.25,3,3,{START + 9},false\n",
        "binance_usdm:BTCUSDT trades",
        {"ts": [START, START + 9], "side": [-1, 1], "qty": [50, 25]}),
    "tardis trades": (
        "bybit_trades_2024-01-01_BTCUSDT.csv.gz",
        "exchange,symbol,timestamp,local_timestamp,id,side,price,amount\n"
        f"bybit,BTCUSDT,{START}000,{START}500,a,buy,42000.5,0.5\n"
        f"bybit,BTCUSDT,{START + 9}000,{START + 9}500,b,sell,42000,0.25\n",
        "bybit_linear:BTCUSDT trades",
        {"arrival_ns": [n * 10**6 + 500_000 for n in (START, START + 9)], "side": [1, -1]}),
    "tardis increments": (
        "binance-futures_incremental_book_L2_2024-01-01_BTCUSDT.csv.gz",
        "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount\n"
        f"binance-futures,BTCUSDT,{START}000,{START}000,true,bid,42000.5,0.5\n"
        f"binance-futures,BTCUSDT,{START + 9}000,{START + 9}000,false,ask,42001,0\n",
        "binance_usdm:BTCUSDT book",
        {"is_snapshot": [1, 0], "side": [1, -1], "qty": [5, 0]}),
    "tardis snapshots": (
        "binance-futures_book_snapshot_5_2024-01-01_BTCUSDT.csv",
        "exchange,symbol,timestamp,local_timestamp,asks[0].price,asks[0].amount,bids[0].price,"
        f"bids[0].amount\nbinance-futures,BTCUSDT,{START}000,{START}000,42001,1,42000,2\n",
        "binance_usdm:BTCUSDT book",
        {"side": [1, -1], "price": [42000, 42001], "qty": [2, 1]}),
    "tardis quotes": (
        "bybit-spot_quotes_2024-01-01_BTCUSDT.csv",
        "exchange,symbol,timestamp,local_timestamp,ask_amount,ask_price,bid_price,bid_amount\n"
        f"bybit-spot,BTCUSDT,{START}000,{START}000,1,42001,42000,2\n",
        "bybit_spot:BTCUSDT quotes",
        {"bid": [42000], "ask": [42001], "bid_qty": [2]}),
    "binance funding": (
        "futures/um/BTCUSDT-fundingRate-2024-01.csv",
        f"calc_time,funding_interval_hours,last_funding_rate\n{START + 3},8,0.0001\n"
        f"{START + 8 * HOUR_MS},8,-0.00005\n",
        "binance_usdm:BTCUSDT funding",
        {"ts": [START, START + 8 * HOUR_MS], "rate": [100_000_000, -50_000_000]}),
}  # fmt: skip


@pytest.mark.parametrize("case", EVENTS)
def test_events_and_settlements_of_every_layout_come_in(case, lake, tmp_path):
    name, text, series, wanted = EVENTS[case]
    path = write(tmp_path / "in" / name, text)
    report = import_paths(lake, [path], clock=CLOCK)
    assert [(item.series, item.skipped) for item in report.files] == [(series, "")]
    (info,) = lake.series()
    rows = lake.read(info.key).frame
    for column, values in wanted.items():
        assert rows[column].to_list() == values, column
    assert import_paths(lake, [path], clock=CLOCK).added == 0


BAD_ROWS = {
    "not a number": ("x", 100.0, 101.0, 99.0, 100.0, "column ts: was missing or not a number"),
    "negative price": (START, -1.0, 101.0, -2.0, 100.0, r"column open: was -1.0, expected a price"),
    "nan": (START, "nan", 101.0, 99.0, 100.0, "column open: was NaN"),
    "text price": (START, 100.0, "abc", 99.0, 100.0, "column high: was missing or not a number"),
    "high too low": (START, 100.0, 99.5, 99.0, 100.0, "column high: .*highest price of its bar"),
    "low too high": (START, 100.0, 101.0, 100.5, 100.0, "column low: .*lowest price of its bar"),
    "off the grid": (START + 7, 100.0, 101.0, 99.0, 100.0, "column ts: .*on the 1m grid"),
    "future": (CLOCK.ts_ms + MINUTE_MS, 100.0, 101.0, 99.0, 100.0, "column ts: .*in the future"),
    "ancient": (60_000_000_000, 100.0, 101.0, 99.0, 100.0, "column ts: .*after 2009"),
    "repeated": (START + MINUTE_MS, 9.0, 9.0, 9.0, 9.0, "column ts: repeats a stamp of the file"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_ROWS)
def test_a_bad_row_is_named_and_nothing_is_written(case, lake, tmp_path):
    *row, words = BAD_ROWS[case]
    good = f"{START + MINUTE_MS},100,101,99,100,5\n"
    text = f"{HEADER}{good}{','.join(map(str, row))},5\n"
    path = write(tmp_path / "ohlcv" / "x_spot" / "AB_1m.csv", text)
    with pytest.raises(DataError, match=rf"AB_1m.csv row 3, {words}"):
        import_paths(lake, [path], clock=CLOCK)
    assert lake.series() == []
    rejects = tmp_path / "bad.csv"
    report = import_paths(lake, [path], clock=CLOCK, stated=Stated(reject_to=rejects))
    assert report.added == 1
    with rejects.open() as handle:
        (rejected,) = csv.DictReader(handle)
    assert (rejected["row"], rejected["file"]) == ("3", "ohlcv/x_spot/AB_1m.csv")


def test_a_folder_names_what_it_cannot_use(lake, tmp_path):
    write(tmp_path / "ohlcv/x_spot/AB_1m.csv", HEADER + ours())
    write(tmp_path / "README.md", "hello")
    write(tmp_path / "notes.csv", "a,b\n1,2\n")
    write(tmp_path / "broken.zip", "")
    (tmp_path / "broken.zip").write_bytes(b"PK not really")
    write(tmp_path / "reply.json", '{"retCode": 0}')
    write(tmp_path / "empty.csv", "")
    write(tmp_path / ".hidden/x.csv", "a")
    report = import_paths(lake, [tmp_path], clock=CLOCK)
    skipped = {Path(item.path).name: item.skipped for item in report.files if item.skipped}
    assert skipped["README.md"] == "not a table (.md)"
    assert skipped["notes.csv"].startswith("not market data (columns a, b")
    assert "damaged archive" in skipped["broken.zip"]
    assert "no list of bars" in skipped["reply.json"]
    assert "empty" in skipped["empty.csv"]
    assert len(report.files) == 6
    assert report.added == 2


def test_a_named_file_must_be_usable(lake, tmp_path):
    with pytest.raises(InputError, match=r"missing.csv does not exist"):
        import_paths(lake, [tmp_path / "missing.csv"], clock=CLOCK)
    path = write(tmp_path / "notes.csv", "a,b\n1,2\n")
    with pytest.raises(InputError, match="cannot be imported: not market data"):
        import_paths(lake, [path], clock=CLOCK)
    bars = write(tmp_path / "bars.csv", HEADER + ours())
    with pytest.raises(InputError, match="add --market and --symbol"):
        import_paths(lake, [bars], clock=CLOCK)
    report = import_paths(lake, [bars], clock=CLOCK, stated=Stated("x_spot", "AB"))
    assert report.files[0].series == "x_spot:AB bars 1m"
    (tmp_path / "void").mkdir()
    with pytest.raises(InputError, match="holds no files"):
        import_paths(lake, [tmp_path / "void"], clock=CLOCK)


def test_overlapping_files_must_agree(lake, tmp_path):
    write(tmp_path / "ohlcv/x_spot/AB_1m_a.csv", HEADER + ours())
    later = HEADER + ours().splitlines()[1] + f"\n{START + 2 * MINUTE_MS},{BAR_LINES[0]}\n"
    write(tmp_path / "ohlcv/x_spot/AB_1m_b.csv", later)
    report = import_paths(lake, [tmp_path], clock=CLOCK)
    assert [(item.added, item.known) for item in report.files] == [(2, 0), (1, 1)]
    other = Lake(tmp_path / "other")
    write(tmp_path / "ohlcv/x_spot/AB_1m_b.csv", later.replace("102,3", "101,3"))
    words = r"AB_1m_b.csv and ohlcv/x_spot/AB_1m_a.csv disagree, first at 2024-01-01T00:01:00Z"
    with pytest.raises(DataError, match=words):
        import_paths(other, [tmp_path], clock=CLOCK)
    assert other.series() == []
