"""Rows of a market as payloads of the tape, and back."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from openalpha.engine.rows import BarUnits, Prices, Row
from openalpha.store.run_log import canonical_json

__all__ = ["is_row", "is_warm", "row_in", "row_of", "row_payload", "warm_payload", "warm_rows"]


def row_payload(row: Row) -> bytes:
    """Return a row as the tape holds it.

    Examples
    --------
    >>> row_payload(Row(60_000, ((1, 2, 1, 2, 9), None)))
    b'{"bars":[[1,2,1,2,9],null],"ts":60000}'
    """
    content: dict[str, Any] = {"ts": row.ts_ms, "bars": row.bars}
    if row.mark:
        content["mark"] = row.mark
    if row.index:
        content["index"] = row.index
    if row.funding:
        content["funding"] = row.funding
    return canonical_json(content)


def row_of(payload: bytes) -> Row:
    """Return the row that `row_payload` wrote."""
    return row_in(json.loads(payload))


def row_in(content: Mapping[str, Any]) -> Row:
    """Return the row of a payload that was read already."""
    return Row(
        content["ts"],
        tuple(_bar(values) for values in content["bars"]),
        tuple(_prices(values) for values in content.get("mark", ())),
        tuple(_prices(values) for values in content.get("index", ())),
        tuple((number, ts, rate) for number, ts, rate in content.get("funding", ())),
    )


def warm_payload(rows: Sequence[Row]) -> bytes:
    """Return rows of before a run as the tape holds them: nothing is decided on these."""
    return canonical_json({"warm": [row_payload(row).decode() for row in rows]})


def is_warm(payload: bytes) -> bool:
    """Say whether a payload of the feed is what `warm_payload` wrote."""
    return payload.startswith(b'{"warm"')


def is_row(payload: bytes) -> bool:
    """Say whether a payload of the feed is what `row_payload` wrote."""
    return payload.startswith(b'{"bars"')


def warm_rows(payload: bytes) -> list[Row]:
    """Return the rows that `warm_payload` wrote.

    Examples
    --------
    >>> warm_rows(warm_payload([Row(60_000, (None,))]))[0].ts_ms
    60000
    """
    return [row_of(text.encode()) for text in json.loads(payload)["warm"]]


def _bar(values: list[int] | None) -> BarUnits | None:
    if values is None:
        return None
    opening, high, low, close, volume = values
    return opening, high, low, close, volume


def _prices(values: list[int] | None) -> Prices | None:
    if values is None:
        return None
    opening, high, low, close = values
    return opening, high, low, close
