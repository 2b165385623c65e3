"""Any other venue ccxt knows: bars and funding through its unified calls."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import polars as pl

from openalpha.core.clock import HOUR_MS, Clock, format_ms
from openalpha.core.errors import UnknownName, VenueUnavailable
from openalpha.core.instruments import FeeSchedule, Instrument, StepRule, instrument_id
from openalpha.core.units import decimals_of
from openalpha.market.catalogue import inferred_instrument
from openalpha.market.download.ccxt_port import call, ported
from openalpha.market.download.missing import Span
from openalpha.market.download.source import Listing, rows_frame
from openalpha.market.series import SeriesKey, SeriesKind
from openalpha.net import OffsetClock, Transport, measure_offset

__all__ = ["CcxtSource"]

_PAGE_ROWS = 200


class CcxtSource:
    """One market of a venue ccxt knows; see `source.Source`. It states no risk tiers."""

    def __init__(
        self, market: str, transport: Transport, *, clock: Clock, base_url: str = ""
    ) -> None:
        self.market = market
        self._clock = clock
        self._client = ported(market, transport, clock=clock, base_url=base_url)
        self._venue_clock: OffsetClock | None = None

    def now_ms(self) -> int:
        """Return the venue's time where it tells it, else ours."""
        if self._venue_clock is None:
            if not self._client.has.get("fetchTime"):
                return self._clock.now_ms()
            offset = measure_offset(lambda: int(call(self._client.fetch_time)), self._clock)
            self._venue_clock = OffsetClock(self._clock, offset)
        return self._venue_clock.now_ms()

    def has(self, kind: SeriesKind) -> bool:
        """Say whether ccxt fetches that kind from this venue."""
        needs = {
            SeriesKind.BARS: "fetchOHLCV",
            SeriesKind.MARK: "fetchMarkOHLCV",
            SeriesKind.INDEX: "fetchIndexOHLCV",
            SeriesKind.FUNDING: "fetchFundingRateHistory",
        }
        if self.market.endswith("spot") and kind is not SeriesKind.BARS:
            return False
        return kind in needs and bool(self._client.has.get(needs[kind]))

    def page_rows(self, kind: SeriesKind) -> int:
        """Return a page every venue can hold."""
        return _PAGE_ROWS

    def listings(self, symbols: Sequence[str]) -> list[Listing]:
        """Return the rules ccxt states of each symbol."""
        call(self._client.load_markets)
        return [Listing(self._instrument(symbol)) for symbol in symbols]

    def page(self, key: SeriesKey, window: Span) -> pl.DataFrame:
        """Return one page of rows."""
        symbol = self._market(key.symbol)["symbol"]
        params: dict[str, object] = {"until": window[1] - 1}
        if key.kind is SeriesKind.FUNDING:
            rates = call(
                self._client.fetch_funding_rate_history, symbol, window[0], _PAGE_ROWS, params
            )
            return rows_frame(
                ["ts", "rate"], [[row["timestamp"], row["fundingRate"]] for row in rates]
            )
        if key.kind is not SeriesKind.BARS:
            params["price"] = str(key.kind)
        rows = call(self._client.fetch_ohlcv, symbol, key.timeframe, window[0], _PAGE_ROWS, params)
        names = ["ts", "open", "high", "low", "close"]
        names += ["volume"] if key.kind is SeriesKind.BARS else []
        return rows_frame(names, [row[: len(names)] for row in rows])

    def _market(self, symbol: str) -> dict[str, Any]:
        if not self._client.markets:
            call(self._client.load_markets)
        for market in self._client.markets.values():
            is_kind = bool(market.get("spot")) == self.market.endswith("spot")
            if market.get("id") == symbol and is_kind:
                return dict(market)
        raise UnknownName(
            f"{self.market} has no instrument {symbol}; check the symbol and the market"
        )

    def _instrument(self, symbol: str) -> Instrument:
        row = self._market(symbol)
        try:
            tick, lot = (Decimal(str(row["precision"][name])) for name in ("price", "amount"))
        except (KeyError, ArithmeticError):
            raise VenueUnavailable(f"{self.market} states no tick and lot of {symbol}") from None
        plain = inferred_instrument(
            instrument_id(self.market, symbol),
            price_decimals=decimals_of(tick),
            qty_decimals=decimals_of(lot),
        )
        limits = row.get("limits") or {}
        return replace(
            plain,
            base=row["base"],
            quote=row["quote"],
            settle=row.get("settle") or row["quote"],
            steps=(StepRule(0, tick, lot),),
            multiplier=Decimal(str(row.get("contractSize") or 1)),
            min_qty=_limit(limits, "amount") or lot,
            min_notional=_limit(limits, "cost") or Decimal(0),
            fees=_fees(row),
            funding_interval_ms=8 * HOUR_MS if row.get("swap") else None,
            source=f"{self.market} through ccxt, {format_ms(self._clock.now_ms())}",
        )


def _fees(row: dict[str, Any]) -> FeeSchedule | None:
    rates = [row.get(role) for role in ("maker", "taker")]
    if any(rate is None for rate in rates):
        return None
    return FeeSchedule(*(Decimal(str(rate)) * 10_000 for rate in rates))


def _limit(limits: dict[str, Any], name: str) -> Decimal | None:
    least = (limits.get(name) or {}).get("min")
    return None if least is None else Decimal(str(least))
