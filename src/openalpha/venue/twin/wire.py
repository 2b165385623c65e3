"""Requests and replies of the twin, apart from any socket; the envelope every reply wears."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote

import orjson

from openalpha.venue.twin.codes import Refused

__all__ = [
    "Params",
    "Reply",
    "Request",
    "dumps",
    "envelope",
    "page",
    "page_size",
    "read_object",
    "read_params",
]

Params = dict[str, Any]


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
    """Cut a list to the page a request asks for, and say where the next one begins.

    A cursor is the number of rows before the page; it stays valid as long as nothing is prepended.

    Raises
    ------
    Refused
        If limit or cursor is no number.
    """
    limit = page_size(params, default=default, most=most)
    try:
        start = int(unquote(str(params.get("cursor") or "0")))
    except ValueError:
        raise Refused(10001, "Illegal cursor") from None
    chosen = rows[start : start + limit]
    more = start + limit < len(rows)
    return {"list": chosen, "nextPageCursor": str(start + limit) if more else ""}


def page_size(params: Params, *, default: int, most: int) -> int:
    """Return how many rows a request asks for, cut to what the venue gives."""
    text = params.get("limit")
    if text is None or text == "":
        return default
    try:
        return max(1, min(int(text), most))
    except (TypeError, ValueError):
        raise Refused(10001, "params error: limit invalid") from None
