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


def test_what_is_told_least_leaves_where_a_row_is_too_wide() -> None:
    wide = {**ROW, "book": "rsi_reversion", "time": "2026-01-05T22:54:00Z", "order": "o" * 12,
            "price": "42975.40", "reason": "take_profit"}  # fmt: skip
    del wide["id"]
    both = [{**wide, "environment": name, "run": f"2026-{name}"} for name in ("paper", "twin")]
    for row in narrowed(both):
        assert sum(len(str(value)) + 2 for value in row.values()) <= 80
        assert "order" not in row and "run" not in row and row["time"] == "01-05 22:54:00"
    kept = narrowed(both, keeps=("run",))
    assert [row["run"] for row in kept] == ["2026-pap", "2026-twi"]


def test_runs_are_named_by_what_can_be_typed() -> None:
    others = [{**ROW, "run": name} for name in ("20260101T-a", "20260101T-b")]
    assert [row["run"] for row in narrowed(others)] == ["20260101T-a", "20260101T-b"]


def test_ids_are_as_long_as_tells_them_apart() -> None:
    other = {**ROW, "id": "ma_cross-aaab", "environment": "live", "limit": "50000.00"}
    first, second = narrowed([ROW, other])
    assert (first["id"], second["id"]) == ("ma_cross-aaaa", "ma_cross-aaab")
    assert (first["environment"], second["limit"]) == ("twin", "50000")
