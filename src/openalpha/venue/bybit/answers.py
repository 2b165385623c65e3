"""What Bybit's replies mean: an answer, a refusal, or that nobody knows yet what became of it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from openalpha.core.errors import VenueRefused, VenueUnavailable
from openalpha.net import Response

__all__ = [
    "DUPLICATE",
    "NOT_FOUND",
    "NO_SUCH_SYMBOL",
    "UNCHANGED",
    "Answer",
    "BybitRefused",
    "FateUnknown",
    "NotNow",
    "StaleClock",
    "read_answer",
    "read_message",
]

NOT_FOUND = frozenset({110001, 170213})
NO_SUCH_SYMBOL = 10001
"""What a question about an instrument that is not listed is refused with."""
DUPLICATE = frozenset({110072, 170141})
UNCHANGED = frozenset({34040, 110025, 110026, 110043})

_TOO_MANY = frozenset({10006, 10018, 10429, 20003})
_WRONG_TIME = frozenset({10002, -1021})
# The server broke or gave up while it worked: the request may have been carried out.
_BROKEN = frozenset({10000, 10016, 170007, 170032, 170146, 170147})
_ADVICE = {
    10003: "the key is not known there; check that it belongs to this environment",
    10004: "the signature is wrong; check that the secret was pasted whole",
    10005: "the key may not do that; give it the permission at the venue",
    10010: "this machine's address is not among those the key is bound to",
    10017: "the venue has no such call",
    33004: "the key has expired; make a new one",
    110007: "the free balance is too small",
    110017: "there is no position to reduce",
    110074: "the instrument is not open for trading",
}


class BybitRefused(VenueRefused):
    """The venue said no: the request was not carried out, and will not be if repeated.

    Parameters
    ----------
    message : str
    code : int
        The venue's retCode.
    """

    def __init__(self, message: str, *, code: int) -> None:
        super().__init__(message)
        self.code = code


class NotNow(VenueUnavailable):
    """The request was not carried out but may be later.

    Parameters
    ----------
    message : str
    until_ms : int
        Venue's time before which to stay away; 0: it did not say.
    is_for_everyone : bool
        Whether the venue refuses this address, not only this key at this call.
    """

    def __init__(self, message: str, *, until_ms: int = 0, is_for_everyone: bool = False) -> None:
        super().__init__(message)
        self.until_ms = until_ms
        self.is_for_everyone = is_for_everyone


class StaleClock(VenueUnavailable):
    """The request was not carried out because its time stamp was off."""


class FateUnknown(VenueUnavailable):
    """Nobody knows whether the request was carried out: ask before repeating it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply the venue calls a success.

    Parameters
    ----------
    result : mapping
    items : tuple of (int, str)
        For batches: code and message of each item.
    ts_ms : int
        Venue's time of the reply, 0 where it says none.
    rate_left : Decimal or None
        What is left of the venue's rate limit of this call, a fraction; None where it says none.
    """

    result: Mapping[str, Any]
    items: tuple[tuple[int, str], ...]
    ts_ms: int
    rate_left: Decimal | None = None

    @property
    def rows(self) -> list[Mapping[str, Any]]:
        """Return the rows of a list answer; what is no row is left out."""
        rows = self.result.get("list")
        return [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []

    @property
    def cursor(self) -> str:
        """Return where the next page begins, empty when there is none."""
        return str(self.result.get("nextPageCursor") or "")


def read_answer(response: Response, *, what: str, api_key: str = "") -> Answer:
    """Return the answer a response carries.

    Parameters
    ----------
    what : str
        The call, for messages.
    api_key : str
        Blotted out wherever the venue repeats it.

    Raises
    ------
    BybitRefused, NotNow, StaleClock, FateUnknown

    Examples
    --------
    >>> read_answer(Response(200, {}, b'{"retCode": 0, "result": {"a": 1}}'), what="time").result
    {'a': 1}
    """
    _judge_status(response, what)
    return _answer(_body(response, what), response.headers, what=what, api_key=api_key)


def read_message(message: Mapping[str, Any], *, what: str, api_key: str = "") -> Answer:
    """Return the answer a message of the trade socket carries; what it means is as on REST.

    Parameters
    ----------
    what : str
        The call, for messages.
    api_key : str
        Blotted out wherever the venue repeats it.

    Raises
    ------
    BybitRefused, NotNow, StaleClock, FateUnknown

    Examples
    --------
    >>> read_message({"retCode": 0, "data": {"a": 1}, "header": {"Timenow": "5"}}, what="x").ts_ms
    5
    """
    head = message.get("header")
    headers = head if isinstance(head, Mapping) else {}
    headers = {str(name).lower(): str(value) for name, value in headers.items()}
    body = {**message, "result": message.get("data"), "time": headers.get("timenow")}
    return _answer(body, headers, what=what, api_key=api_key)


def _answer(
    body: Mapping[str, Any], headers: Mapping[str, str], *, what: str, api_key: str
) -> Answer:
    try:
        code = int(body["retCode"])
    except (KeyError, TypeError, ValueError):
        raise FateUnknown(f"Bybit's reply to {what} carries no retCode; try again") from None
    if code:
        _refuse(code, body, headers, what=what, api_key=api_key)
    result = body.get("result")
    return Answer(
        result if isinstance(result, Mapping) else {},
        _items(body),
        _ms(body.get("time")),
        _rate_left(headers),
    )


def _rate_left(headers: Mapping[str, str]) -> Decimal | None:
    try:
        left, limit = (int(headers[f"x-bapi-limit{name}"]) for name in ("-status", ""))
    except (KeyError, ValueError):
        return None
    return Decimal(max(left, 0)) / limit if limit > 0 else None


def _judge_status(response: Response, what: str) -> None:
    if response.status in (403, 418, 429):
        raise NotNow(
            f"Bybit turned {what} away (HTTP {response.status}): this address asked too often or "
            "is not served; wait ten minutes, or use a server of your region",
            is_for_everyone=True,
        )
    if response.status >= 500:
        raise FateUnknown(f"Bybit answered {what} with HTTP {response.status}")
    if response.status == 401:
        raise BybitRefused(
            f"Bybit refused {what} (HTTP 401): the key or its signature is wrong", code=10003
        )


def _body(response: Response, what: str) -> Mapping[str, Any]:
    try:
        body = json.loads(response.body)
    except ValueError:
        body = None
    if isinstance(body, Mapping):
        return body
    if response.status >= 400:
        raise BybitRefused(f"Bybit refused {what} with HTTP {response.status}", code=10017)
    raise FateUnknown(f"Bybit's reply to {what} is cut or no JSON; try again")


def _refuse(
    code: int, body: Mapping[str, Any], headers: Mapping[str, str], *, what: str, api_key: str
) -> None:
    words = _plain_words(str(body.get("retMsg") or "no reason given"), api_key)
    if code in _TOO_MANY:
        until_ms = _ms(headers.get("x-bapi-limit-reset-timestamp"))
        raise NotNow(f"Bybit asks for patience with {what} ({words})", until_ms=until_ms)
    if code in _WRONG_TIME:
        raise StaleClock(f"Bybit refused {what}: the time stamp is outside its window")
    if code in _BROKEN:
        raise FateUnknown(f"Bybit could not finish {what} ({words}, retCode {code})")
    advice = f"; {_ADVICE[code]}" if code in _ADVICE else ""
    raise BybitRefused(f"Bybit refused {what}: {words} (retCode {code}){advice}", code=code)


def _plain_words(text: str, api_key: str) -> str:
    """Return the venue's words without what it repeats of the request: that names the key."""
    words = text.partition("origin_string")[0].strip(" ,.!")
    return words.replace(api_key, "…") if api_key else words


def _items(body: Mapping[str, Any]) -> tuple[tuple[int, str], ...]:
    ext = body.get("retExtInfo")
    rows = ext.get("list") if isinstance(ext, Mapping) else None
    if not isinstance(rows, list):
        return ()
    return tuple(
        (_ms(row.get("code"), -1), str(row.get("msg") or ""))
        for row in rows
        if isinstance(row, Mapping)
    )


def _ms(value: object, default: int = 0) -> int:
    try:
        return int(str(value))
    except ValueError:
        return default
