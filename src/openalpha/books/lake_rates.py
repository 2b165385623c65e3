"""Rates from the lake: the close of the last bar of a spot market, straight or over one coin."""

from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from openalpha.books.rates import Rate
from openalpha.core.clock import DAY_MS
from openalpha.core.instruments import Kind
from openalpha.core.units import from_units
from openalpha.market.catalogue import instrument_for
from openalpha.market.lake import Lake
from openalpha.market.series import SeriesKey, SeriesKind
from openalpha.store.decimals import EXACT

__all__ = ["LakeRates"]

_OVER = ("USDT", "USD", "USDC", "BTC")
_STEP = Decimal(1).scaleb(-18)


class _Market(NamedTuple):
    key: SeriesKey
    is_inverse: bool


class _Closes(NamedTuple):
    closed_ms: NDArray[np.int64]
    units: NDArray[np.int64]
    decimals: int


@dataclass(slots=True)
class LakeRates:
    """Looks rates up in the spot markets of a lake.

    A coin in a currency is the market of the two, either way round; else one market to a coin in
    between (USDT, USD, USDC, BTC) and one from there. A price is good from its bar's close on and
    carried for `carry_ms`.

    Parameters
    ----------
    lake : Lake
    carry_ms : int
    market : str
        Look at this market of the lake only, such as `bybit_spot`; empty takes all.
    """

    lake: Lake
    carry_ms: int = 5 * DAY_MS
    market: str = ""
    _markets: dict[tuple[str, str], _Market] = field(init=False)
    _closes: dict[SeriesKey, _Closes] = field(default_factory=dict)
    _last: dict[tuple[str, str, int], Rate | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._markets = {}
        bars = [info.key for info in self.lake.series() if info.key.kind is SeriesKind.BARS]
        # What was made up never stands before what was traded; of the rest the finest wins.
        for key in sorted(bars, key=lambda key: (not _is_synthetic(key), -key.timeframe_ms)):
            instrument = instrument_for(str(key.instrument), self.lake)
            if instrument.kind is Kind.SPOT and self.market in ("", key.market):
                pair = (instrument.base, instrument.quote)
                self._markets[pair] = _Market(key, is_inverse=False)
                other = self._markets.get(pair[::-1])
                if other is None or other.is_inverse or _is_synthetic(other.key):
                    self._markets[pair[::-1]] = _Market(key, is_inverse=True)

    def rate(self, coin: str, quote: str, *, ts_ms: int) -> Rate | None:
        """Return what a coin was worth at a moment; None where no market of the lake says."""
        if (coin, quote) in self._markets:
            return self._straight(coin, quote, ts_ms)
        for between in _OVER:
            if {(coin, between), (between, quote)} <= self._markets.keys():
                one = self._straight(coin, between, ts_ms)
                other = self._straight(between, quote, ts_ms)
                if one is not None and other is not None:
                    rate = EXACT.multiply(one.rate, other.rate)
                    source = f"{one.source} × {other.source}"
                    return Rate(rate, source, min(one.ts_ms, other.ts_ms))
        return None

    def _straight(self, coin: str, quote: str, ts_ms: int) -> Rate | None:
        market = self._markets[coin, quote]
        closes = self._read(market.key)
        at = int(np.searchsorted(closes.closed_ms, ts_ms, side="right")) - 1
        if at < 0 or ts_ms - int(closes.closed_ms[at]) > self.carry_ms:
            return None
        if (coin, quote, at) not in self._last:
            price = from_units(int(closes.units[at]), closes.decimals)
            if market.is_inverse:
                price = (1 / price).quantize(_STEP, rounding=ROUND_HALF_EVEN)
            note = "SYNTHETIC " if _is_synthetic(market.key) else ""
            source = f"{note}close of {market.key.instrument} {market.key.timeframe}"
            self._last[coin, quote, at] = Rate(price, source, int(closes.closed_ms[at]))
        return self._last[coin, quote, at]

    def _read(self, key: SeriesKey) -> _Closes:
        if key not in self._closes:
            block = self.lake.read(key)
            self._closes[key] = _Closes(
                block.frame["ts"].to_numpy() + key.timeframe_ms,
                block.frame["close"].to_numpy(),
                block.price_decimals,
            )
        return self._closes[key]


def _is_synthetic(key: SeriesKey) -> bool:
    return key.market.startswith("synthetic")
