"""What `openalpha status` shows of a run, within 80 columns."""

from typing import Any

import pytest

from openalpha.cli.status_page import page_of, short_ids

BOOK = {
    "name": "ma_cross",
    "currency": "USDT",
    "equity": "1039871.21990000",
    "fills": 7,
    "positions": [
        {
            "instrument": "bybit_linear:BTCUSDT",
            "qty": "0.05",
            "entry_price": "60001.2",
            "mark_price": "60010",
        }
    ],
    "orders": [{"instrument": "bybit_linear:BTCUSDT", "trigger": "58201.10"}],
}
PROFIT = BOOK["orders"][0] | {"trigger": "61000", "trigger_kind": "take_profit"}
STATUS: dict[str, Any] = {
    "environment": "twin",
    "run": "r",
    "mode": "running",
    "why": "",
    "process": 4711,
    "last_row_ms": 1_700_000_040_000,
    "risk": {
        "stage": "reducing",
        "reasons": [
            "the distance between bid and ask is too wide: 66.7, the limit is 50",
            "an incident is not settled yet: 2, the limit is 0",
        ],
        "equity": "1039871.2199",
        "peak": "1040000",
        "drawdown": "0.000124",
        "daily_loss": "0",
    },
    "health": {
        "lines": {"private_socket": True, "feed linear": False},
        "rate_left": "0.9",
        "open_incidents": 2,
        "feed_age_ms": 12_345,
    },
    "decided": {
        "ts": 1_700_000_100_000,
        "book": "ma_cross",
        "targets": {"bybit_linear:BTCUSDT": 500_000, "bybit_linear:ETHUSDT": -(2**31)},
    },
    "books": [BOOK],
}


def test_it_says_what_a_person_needs_at_night() -> None:
    page = "\n".join(page_of(STATUS, name="2026"))
    assert page == (
        "twin run 2026: running, process 4711\n"
        "  risk       REDUCING · the distance between bid and ask is too wide: 66.7, the\n"
        "             limit is 50 · an incident is not settled yet: 2, the limit is 0\n"
        "  equity     1,039,871.22, highest 1,040,000.00 (-0.0 %), today -0.0 %\n"
        "  feed       last bar opened 2023-11-14 22:14:00, closed 12 s ago\n"
        "  venue      feed linear DOWN, private socket up, 90.0 % of the rate limit left\n"
        "  incidents  2 OPEN: `openalpha incidents list`\n"
        "  decided    22:15:00 ma_cross: +0.50 BTCUSDT\n"
        "  ma_cross   1,039,871.22 USDT, 7 fills\n"
        "             0.05 bybit_linear:BTCUSDT at 60001.2, now 60010, stop 58201.10\n"
    )
    assert max(map(len, page.splitlines())) <= 80


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"books": [BOOK | {"orders": []}]}, "NO STOP"),
        ({"books": [BOOK | {"orders": [PROFIT]}]}, "NO STOP,"),
        ({"books": [BOOK | {"orders": [*BOOK["orders"], PROFIT]}]}, "take-profit 61000"),
        ({"books": [BOOK | {"positions": []}]}, "flat"),
        ({"process": None}, "led by nobody now"),
        ({"why": "home time"}, "why        home time"),
        ({"last_row_ms": -1}, "no bar yet"),
        ({"health": STATUS["health"] | {"lines": {}}}, "no socket: the venue is asked"),
        ({"health": STATUS["health"] | {"rate_left": None}}, "rate limit unknown"),
    ],
)
def test_what_is_missing_is_said(change: dict[str, Any], words: str) -> None:
    assert words in "\n".join(page_of(STATUS | change, name="x"))


def test_paper_has_no_venue() -> None:
    plain = {name: STATUS[name] for name in ("environment", "run", "mode", "books", "last_row_ms")}
    assert "venue" not in "\n".join(page_of(plain, name="x"))


def test_an_id_is_as_long_as_it_must_be() -> None:
    assert short_ids(["20260101-1a", "20260101-1b"])["20260101-1b"] == "20260101-1b"
    assert short_ids(["20260101-1a"]) == {"20260101-1a": "20260101"}
