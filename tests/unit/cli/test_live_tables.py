"""Rows of live runs on a narrow screen: nothing is cut, nothing is said twice."""

from openalpha.cli.live_tables import narrowed

ROW = {
    "environment": "twin", "run": "r-1", "book": "ma", "id": "ma_cross-aaaaaaaaaa-0",
    "instrument": "bybit_linear:BTCUSDT", "side": -1, "qty": "0.0500", "limit": None,
    "is_reduce_only": True,
}  # fmt: skip


def test_what_all_rows_share_is_left_out_and_numbers_are_plain() -> None:
    (row,) = narrowed([ROW])
    assert row == {
        "book": "ma", "id": "ma_cross-aaa", "instrument": "linear:BTCUSDT", "side": "sell",
        "qty": "0.05",
    }  # fmt: skip


def test_ids_are_as_long_as_tells_them_apart() -> None:
    other = {**ROW, "id": "ma_cross-aaab", "environment": "live", "limit": "50000.00"}
    first, second = narrowed([ROW, other])
    assert (first["id"], second["id"]) == ("ma_cross-aaaa", "ma_cross-aaab")
    assert (first["environment"], second["limit"]) == ("twin", "50000")
