"""Bybit's public market data, page by page, through ccxt's own endpoints and exact texts."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from openalpha.core.clock import Clock
from openalpha.core.errors import InputError, UnknownName, VenueRefused, VenueUnavailable
from openalpha.core.instruments import RiskTier
from openalpha.market.download.bybit_rules import listing_of, tiers_of
from openalpha.market.download.ccxt_port import call, ported
from openalpha.market.download.missing import Span
from openalpha.market.download.source import Garbled, Listing, rows_frame
from openalpha.market.series import SeriesKey, SeriesKind
from openalpha.net import (
    Objection,
    OffsetClock,
    Response,
    Transport,
    judge_status,
    measure_offset,
)

__all__ = ["BybitSource", "judge_bybit"]

_INTERVALS = {
    "1m": "1", "3m": "3", "5m": "5", "15m": "15", "30m": "30", "1h": "60", "2h": "120",
    "4h": "240", "6h": "360", "12h": "720", "1d": "D",
}  # fmt: skip
_BAR_METHODS = {
    SeriesKind.BARS: "publicGetV5MarketKline",
    SeriesKind.MARK: "publicGetV5MarketMarkPriceKline",
    SeriesKind.INDEX: "publicGetV5MarketIndexPriceKline",
}
_PAGE_ROWS = {SeriesKind.FUNDING: 200, SeriesKind.OPEN_INTEREST: 200}
_BAR_ROWS = 1000
_VISITS = {10006, 10018, 10403, 10429}
_AGAIN = {10000, 10016, 10019}
_LONGEST_HINT_S = 10.0  # its windows are of one and five seconds
_RISK_PAGES = 50


def judge_bybit(response: Response) -> Objection | None:
    """Judge a response of Bybit: business errors come with HTTP 200 and a code in the body.

    Examples
    --------
    >>> judge_bybit(Response(200, {}, b'{"retCode": 0, "result": {}}')) is None
    True
    >>> judge_bybit(Response(200, {}, b'{"retCode": 10006}')).why
    'retCode 10006, too many visits'
    """
    objection = judge_status(response)
    if objection is not None:
        return objection
    try:
        envelope = json.loads(response.body)
        code = int(envelope["retCode"])
    except (ValueError, KeyError, TypeError):
        return Objection("an answer that is not Bybit's JSON") if response.status < 400 else None
    if code in _VISITS:
        wait_s = _until_reset_s(response, envelope)
        return Objection(f"retCode {code}, too many visits", wait_s, is_for_everyone=True)
    if code in _AGAIN:
        return Objection(f"retCode {code}, {envelope.get('retMsg', '')}")
    return None


def _until_reset_s(response: Response, envelope: Mapping[str, Any]) -> float:
    """Both stamps are the venue's, so a clock of ours that is wrong does no harm."""
    try:
        reset_ms = int(response.headers["x-bapi-limit-reset-timestamp"])
        left_s = (reset_ms - int(envelope["time"])) / 1000
    except (KeyError, ValueError, TypeError):
        return 1.0
    return min(max(left_s, 0.1), _LONGEST_HINT_S)


class BybitSource:
    """One of Bybit's markets; see `source.Source`.

    Parameters
    ----------
    market : str
        bybit_linear, bybit_inverse or bybit_spot.
    transport : Transport
        Patient and budgeted by the caller, judging by `judge_bybit`.
    clock : Clock
    base_url : str
        Another server speaking the protocol; empty: Bybit itself.
    """

    def __init__(
        self, market: str, transport: Transport, *, clock: Clock, base_url: str = ""
    ) -> None:
        self.market = market
        self._category = market.removeprefix("bybit_")
        self._clock = clock
        self._client = ported(market, transport, clock=clock, base_url=base_url)
        self._venue_clock: OffsetClock | None = None

    def now_ms(self) -> int:
        """Return Bybit's time; measured once, then told by our clock."""
        if self._venue_clock is None:
            offset = measure_offset(self._ask_time, self._clock)
            self._venue_clock = OffsetClock(self._clock, offset)
        return self._venue_clock.now_ms()

    def has(self, kind: SeriesKind) -> bool:
        """Say whether this market has that kind: spot knows bars only."""
        return (
            kind in _BAR_METHODS or kind in _PAGE_ROWS
            if self._category != "spot"
            else (kind is SeriesKind.BARS)
        )

    def page_rows(self, kind: SeriesKind) -> int:
        """Return Bybit's largest page."""
        return _PAGE_ROWS.get(kind, _BAR_ROWS)

    def listings(self, symbols: Sequence[str]) -> list[Listing]:
        """Return rules and tiers of each symbol."""
        return [self._listing(symbol) for symbol in symbols]

    def page(self, key: SeriesKey, window: Span) -> pl.DataFrame:
        """Return one page of rows; of more than it can hold, Bybit sends the newest."""
        limit, start_ms, end_ms = self.page_rows(key.kind), window[0], window[1] - 1
        asked = {"category": self._category, "symbol": key.symbol, "limit": limit}
        if key.kind is SeriesKind.FUNDING:
            asked |= {"startTime": start_ms, "endTime": end_ms}
            return _named(
                self._list("publicGetV5MarketFundingHistory", asked),
                {"ts": "fundingRateTimestamp", "rate": "fundingRate"},
            )
        if key.kind is SeriesKind.OPEN_INTEREST:
            asked |= {"intervalTime": "1h", "startTime": start_ms, "endTime": end_ms}
            return _named(
                self._list("publicGetV5MarketOpenInterest", asked),
                {"ts": "timestamp", "qty": "openInterest"},
            )
        interval = _INTERVALS.get(key.timeframe)
        if interval is None:
            raise InputError(f"Bybit has no {key.timeframe} bars; it has {', '.join(_INTERVALS)}")
        asked |= {"interval": interval, "start": start_ms, "end": end_ms}
        names = ["ts", "open", "high", "low", "close"]
        names += ["volume"] if key.kind is SeriesKind.BARS else []
        rows = self._list(_BAR_METHODS[key.kind], asked)
        if any(not isinstance(row, list) or len(row) < len(names) for row in rows):
            raise Garbled(f"{self.market} sent bars without {', '.join(names)}")
        return rows_frame(names, [row[: len(names)] for row in rows])

    def _ask_time(self) -> int:
        try:
            answer = call(self._client.publicGetV5MarketTime)
        except (VenueRefused, VenueUnavailable):
            # A server without that route still puts its time on every answer.
            asked = {"category": self._category, "limit": 1}
            answer = call(self._client.publicGetV5MarketInstrumentsInfo, asked)
        try:
            return int(answer["time"])
        except (KeyError, ValueError, TypeError):
            raise VenueUnavailable(f"{self.market} did not tell its time") from None

    def _list(self, method: str, asked: Mapping[str, object]) -> list[Any]:
        answer = call(getattr(self._client, method), dict(asked))
        try:
            rows = answer["result"]["list"]
        except (KeyError, TypeError):
            rows = None
        if not isinstance(rows, list):
            raise Garbled(f"{self.market} sent an answer without a list")
        return rows

    def _listing(self, symbol: str) -> Listing:
        asked = {"category": self._category, "symbol": symbol}
        try:
            rows = self._list("publicGetV5MarketInstrumentsInfo", asked)
        except VenueRefused as error:
            raise UnknownName(
                f"{self.market} has no instrument {symbol} ({error.message})"
            ) from None
        found = [row for row in rows if isinstance(row, dict) and row.get("symbol") == symbol]
        if not found:
            raise UnknownName(
                f"{self.market} has no instrument {symbol}; check the symbol and the market"
            )
        tiers = () if self._category == "spot" else self._tiers(symbol)
        return listing_of(self.market, found[0], tiers=tiers, now_ms=self.now_ms())

    def _tiers(self, symbol: str) -> tuple[RiskTier, ...]:
        asked: dict[str, object] = {"category": self._category, "symbol": symbol}
        found: list[Mapping[str, Any]] = []
        for _ in range(_RISK_PAGES):
            answer = call(self._client.publicGetV5MarketRiskLimit, dict(asked))
            result = answer.get("result") if isinstance(answer, dict) else None
            if not isinstance(result, dict) or not isinstance(result.get("list"), list):
                raise VenueUnavailable(f"{self.market} sent risk limits without a list")
            found += [row for row in result["list"] if row.get("symbol", symbol) == symbol]
            cursor = result.get("nextPageCursor")
            if not cursor or cursor == asked.get("cursor"):
                break
            asked["cursor"] = cursor
        return tiers_of(found)


def _named(rows: Sequence[Any], names: Mapping[str, str]) -> pl.DataFrame:
    try:
        return rows_frame(list(names), [[row[name] for name in names.values()] for row in rows])
    except (KeyError, TypeError):
        raise Garbled(f"the venue sent rows without {', '.join(names.values())}") from None
