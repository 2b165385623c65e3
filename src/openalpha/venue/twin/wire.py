"""Requests and replies of the twin, apart from any socket; the envelope every reply wears."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import dropwhile, islice
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar
from urllib.parse import parse_qsl, unquote

import orjson

from openalpha.core.clock import DAY_MS
from openalpha.venue.twin.codes import Refused

__all__ = [
    "Params",
    "Reply",
    "Request",
    "dumps",
    "envelope",
    "newest",
    "page",
    "page_size",
    "read_object",
    "read_params",
    "stretch",
]

Params = dict[str, Any]
Row = TypeVar("Row")

WEEK_MS = 7 * DAY_MS


class Request(NamedTuple):
    """One HTTP request, its header names in lower case, its body as it came."""

    method: str
    path: str
    query: str = ""
    body: bytes = b""
    headers: Mapping[str, str] = MappingProxyType({})
    peer: str = "127.0.0.1"


@dataclass(slots=True)
class Reply:
    """One HTTP reply. `is_lost` and the like are set by faults, read by whoever delivers it."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    delay_ms: int = 0
    is_dropped: bool = False
    is_cut: bool = False


def dumps(value: object) -> bytes:
    """Write JSON compactly, in UTF-8."""
    return orjson.dumps(value)


def read_object(text: bytes | str) -> dict[str, Any] | None:
    """Return a JSON object a client sent; None where it is none."""
    try:
        value = orjson.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def envelope(
    result: object, *, ts_ms: int, code: int = 0, message: str = "OK", ext: object | None = None
) -> dict[str, object]:
    """Return what every v5 reply looks like."""
    return {
        "retCode": code,
        "retMsg": message,
        "result": result,
        "retExtInfo": {} if ext is None else ext,
        "time": ts_ms,
    }


def read_params(request: Request) -> Params:
    """Read a request's parameters: the query of a GET, the JSON object of a POST.

    Raises
    ------
    Refused
        If a body is not a JSON object.
    """
    if request.method != "POST":
        return dict(parse_qsl(request.query, keep_blank_values=True))
    if not request.body.strip():
        return {}
    params = read_object(request.body)
    if params is None:
        raise Refused(10001, "Request parameter error: body is not a JSON object")
    return params


def page(
    rows: list[dict[str, Any]], params: Params, *, default: int = 20, most: int = 50
) -> dict[str, Any]:
    """Cut a list that stands still to the page a request asks for.

    A cursor is the number of rows before the page.

    Raises
    ------
    Refused
        If limit or cursor is no number.
    """
    limit = page_size(params, default=default, most=most)
    start = _cursor(params) or 0
    chosen = rows[start : start + limit]
    more = start + limit < len(rows)
    return {"list": chosen, "nextPageCursor": str(start + limit) if more else ""}


def newest(
    rows: Iterable[Row],
    params: Params,
    *,
    number: Callable[[Row], int],
    default: int = 20,
    most: int = 50,
) -> tuple[list[Row], str]:
    """Cut a history, newest first, to the page a request asks for; says where the next begins.

    A cursor is the number of the page's last row: rows that come or go meanwhile move nobody to
    another page.

    Parameters
    ----------
    number : callable
        Of a row; the newer of two has the higher one.

    Raises
    ------
    Refused
        If limit or cursor is no number.
    """
    limit, cursor = page_size(params, default=default, most=most), _cursor(params)
    older = rows if cursor is None else dropwhile(lambda row: number(row) >= cursor, rows)
    chosen = list(islice(older, limit + 1))
    is_more = len(chosen) > limit
    return chosen[:limit], str(number(chosen[limit - 1])) if is_more else ""


def _cursor(params: Params) -> int | None:
    text = unquote(str(params.get("cursor") or ""))
    if not text:
        return None
    if not text.isdigit():
        raise Refused(10001, "Illegal cursor")
    return int(text)


def stretch(params: Params, *, now_ms: int, usual_ms: int = WEEK_MS) -> tuple[int, int]:
    """Return the stretch of time, both ends included, that a request for a history asks for.

    Without an end it is as long as is usual there; no request reaches over more than seven days.

    Raises
    ------
    Refused
        10001 where a bound is no number, or the stretch is too long.
    """
    try:
        start, end = (int(params.get(name) or 0) for name in ("startTime", "endTime"))
    except (TypeError, ValueError):
        raise Refused(10001, "params error: startTime or endTime invalid") from None
    if start and end:
        if end - start > WEEK_MS:
            raise Refused(10001, "The time range between startTime and endTime exceeds 7 days")
        return start, end
    if start:
        return start, start + usual_ms
    end = end or now_ms
    return end - usual_ms, end


def page_size(params: Params, *, default: int, most: int) -> int:
    """Return how many rows a request asks for, cut to what the venue gives."""
    text = params.get("limit")
    if text is None or text == "":
        return default
    try:
        return max(1, min(int(text), most))
    except (TypeError, ValueError):
        raise Refused(10001, "params error: limit invalid") from None
