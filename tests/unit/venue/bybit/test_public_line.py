"""What the public sockets say, read tolerantly; a book whose sequence breaks is begun anew."""

import json
from typing import Any

import pytest

from openalpha.venue.bybit.public_line import BookChange, Candle, PublicLine, Trade, read_message


def book(kind: str, u: int, **more: Any) -> str:
    data = {"s": "X", "b": [["1.5", "2"]], "a": [], "u": u, "seq": 1, **more}
    return json.dumps({"topic": "orderbook.50.X", "type": kind, "ts": 5, "data": data})


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"topic":"kline.1.X"}', '{"topic":"kline.1.X","data":[{"start":"x"}]}',
     '{"topic":"unheard.X","data":[]}', '{"success":true,"op":"subscribe"}'],
)  # fmt: skip
def test_what_is_no_message_is_left_out(text: str) -> None:
    assert read_message(text) == []


def test_messages_with_fields_nobody_knows_are_read() -> None:
    row = {"start": 60_000, "open": "1", "high": "2", "low": "1", "close": "2", "volume": "3"}
    text = json.dumps({"topic": "kline.1.X", "data": [{**row, "confirm": True, "new": 1}]})
    assert read_message(text) == [Candle("X", 60_000, ("1", "2", "1", "2", "3"), True)]
    print_ = {"T": 7, "S": "Buy", "p": "1.5", "v": "2", "i": "id", "more": None}
    text = json.dumps({"topic": "publicTrade.X", "data": [print_]})
    assert read_message(text) == [Trade("X", 7, "Buy", "1.5", "2", "id")]
    assert read_message(book("delta", 3)) == [BookChange("X", 5, False, 3, (("1.5", "2"),), ())]


@pytest.mark.parametrize(
    ("texts", "heard", "gaps"),
    [
        ([("snapshot", 4), ("delta", 5), ("delta", 6)], [4, 5, 6], 0),
        ([("snapshot", 4), ("delta", 6), ("snapshot", 9)], [4, 9], 1),
        ([("delta", 5)], [], 1),
        ([("snapshot", 4), ("delta", 5), ("delta", 1), ("delta", 2)], [4, 5, 1, 2], 0),
        ([("snapshot", 4), ("delta", 4)], [4], 1),
    ],
    ids=["in order", "one missed", "no beginning", "service restarted", "one twice"],
)
def test_a_book_follows_its_sequence(
    texts: list[tuple[str, int]], heard: list[int], gaps: int
) -> None:
    told: list[Any] = []
    line = PublicLine(
        "http://127.0.0.1:1",
        "linear",
        topics=["orderbook.50.X"],
        on_message=told.append,
        on_change=lambda is_up: None,
    )
    for kind, update in texts:
        line._hear(book(kind, update))
    assert [change.update for change in told] == heard
    assert line.gaps == gaps
