"""The public market family: time, instruments, tickers, book, candles, trades, funding, risk."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from openalpha.core.clock import MINUTE_MS
from openalpha.venue.twin.codes import Refused
from openalpha.venue.twin.handlers.instruments import instruments_info
from openalpha.venue.twin.intervals import INTERVALS
from openalpha.venue.twin.listings import Listing
from openalpha.venue.twin.numbers import fixed, plain, quotient
from openalpha.venue.twin.rows import side_name
from openalpha.venue.twin.state import State
from openalpha.venue.twin.tape import C_INDEX, C_MARK, C_OPEN, C_TS, C_TURNOVER, C_VOLUME
from openalpha.venue.twin.wire import Params, page_size

__all__ = [
    "BOOK_LIMITS",
    "ROUTES",
    "candle_text",
    "level_rows",
    "ticker_row",
]

BOOK_LIMITS = {"spot": 200, "linear": 500, "inverse": 500}


def _server_time(state: State, params: Params) -> dict[str, Any]:
    """Answer GET /v5/market/time."""
    del params
    now_ms = state.now_ms + state.skew_ms
    return {"timeSecond": str(now_ms // 1000), "timeNano": f"{now_ms}000000"}


def _tickers(state: State, params: Params) -> dict[str, Any]:
    """Answer GET /v5/market/tickers."""
    category = state.category(params)
    if params.get("symbol"):
        chosen = [state.listing(params)]
    else:
        chosen = list(state.of_category(category))
    return {"category": category, "list": [ticker_row(one) for one in chosen]}


def ticker_row(listing: Listing) -> dict[str, Any]:
    """Return a market's ticker as REST shows it."""
    d, q, v = listing.price_decimals, listing.qty_decimals, listing.value_decimals
    day = listing.tape.day()
    bids, asks = listing.pool.machine.depth(listing.number)
    last, first = listing.tape.last, int(day[0, C_OPEN])
    row = {
        "symbol": listing.symbol,
        "bid1Price": fixed(bids[0][0], d) if bids else "",
        "bid1Size": plain(bids[0][1], q) if bids else "",
        "ask1Price": fixed(asks[0][0], d) if asks else "",
        "ask1Size": plain(asks[0][1], q) if asks else "",
        "lastPrice": fixed(last, d),
        "prevPrice24h": fixed(first, d),
        "price24hPcnt": quotient(last - first, first, decimals=6),
        "highPrice24h": fixed(int(day[:, C_OPEN + 1].max()), d),
        "lowPrice24h": fixed(int(day[:, C_OPEN + 2].min()), d),
        "turnover24h": plain(int(day[:, C_TURNOVER].sum()), v),
        "volume24h": plain(int(day[:, C_VOLUME].sum()), q),
    }
    if listing.is_spot:
        return {**row, "usdIndexPrice": fixed(listing.tape.index, d)}
    hour_ago = int(day[-min(60, len(day)), C_OPEN])
    interest, worth = _held_long(listing)
    return {
        **row,
        "indexPrice": fixed(listing.tape.index, d),
        "markPrice": fixed(listing.tape.mark, d),
        "prevPrice1h": fixed(hour_ago, d),
        "openInterest": plain(interest, q),
        "openInterestValue": plain(worth, v),
        "fundingRate": plain(listing.funding_rate_e12, 12),
        "nextFundingTime": str(listing.next_funding_ms),
        "fundingIntervalHour": str(
            (listing.instrument.funding_interval_ms or 0) // (60 * MINUTE_MS)
        ),
        "fundingCap": "0.003",
        "predictedDeliveryPrice": "",
        "basisRate": "",
        "basis": "",
        "deliveryFeeRate": "",
        "deliveryTime": str(listing.delivery_ms),
        "preOpenPrice": "",
        "preQty": "",
        "curPreListingPhase": "",
        "basisRateYear": "",
    }


def _held_long(listing: Listing) -> tuple[int, int]:
    """Return what the accounts of the twin hold long, and its value at the mark."""
    machine = listing.pool.machine
    held = 0
    for account in range(len(machine.accounts)):
        for leg in range(2):
            held += max(machine.position(account, listing.number, leg)[0], 0)
    return held, listing.notional(held, listing.tape.mark)


def _orderbook(state: State, params: Params) -> dict[str, Any]:
    """Answer GET /v5/market/orderbook."""
    listing = state.listing(params)
    default = 1 if listing.is_spot else 25
    limit = page_size(params, default=default, most=BOOK_LIMITS[listing.category])
    bids, asks = listing.pool.machine.depth(listing.number)
    return {
        "s": listing.symbol,
        "b": level_rows(listing, bids[:limit]),
        "a": level_rows(listing, asks[:limit]),
        "ts": state.now_ms,
        "u": listing.version,
        "seq": state.seq,
        "cts": state.now_ms,
    }


def level_rows(listing: Listing, levels: Iterable[tuple[int, int]]) -> list[list[str]]:
    """Return prices and quantities as text."""
    d, q = listing.price_decimals, listing.qty_decimals
    return [[fixed(price, d), plain(qty, q)] for price, qty in levels]


def candle_text(listing: Listing, row: list[int], *, first: int = C_OPEN) -> list[str]:
    """Return a candle as text: start, open, high, low, close, and for trades volume, turnover."""
    d = listing.price_decimals
    texts = [str(row[C_TS]), *(fixed(row[first + k], d) for k in range(4))]
    if first == C_OPEN:
        texts.append(plain(row[C_VOLUME], listing.qty_decimals))
        texts.append(plain(row[C_TURNOVER], listing.value_decimals))
    return texts


def _candles(state: State, params: Params, *, first: int) -> dict[str, Any]:
    """Return the candles a request asks for, the newest first."""
    listing = state.listing({"category": "linear", **params})
    interval = str(params.get("interval"))
    if interval not in INTERVALS:
        raise Refused(10001, "Invalid period!")
    limit = page_size(params, default=200, most=1000)
    try:
        start = int(params.get("start") or 0)
        end = int(params.get("end") or 2**62)
    except (TypeError, ValueError):
        raise Refused(10001, "params error: start or end invalid") from None
    listing.tape.reach(state.now_ms)
    rows = listing.tape.grouped(interval)
    rows = rows[(rows[:, C_TS] >= start) & (rows[:, C_TS] <= end)]
    chosen = rows[:limit] if params.get("start") and not params.get("end") else rows[-limit:]
    return {
        "category": listing.category,
        "symbol": listing.symbol,
        "list": [candle_text(listing, row, first=first) for row in chosen[::-1].tolist()],
    }


def _kline(state: State, params: Params) -> dict[str, Any]:
    """Answer GET /v5/market/kline."""
    return _candles(state, params, first=C_OPEN)


def _mark_kline(state: State, params: Params) -> dict[str, Any]:
    """Answer GET /v5/market/mark-price-kline."""
    return _candles(state, params, first=C_MARK)


def _index_kline(state: State, params: Params) -> dict[str, Any]:
    """Answer GET /v5/market/index-price-kline."""
    return _candles(state, params, first=C_INDEX)


def _recent_trade(state: State, params: Params) -> dict[str, Any]:
    """Answer GET /v5/market/recent-trade."""
    listing = state.listing(params)
    most = 60 if listing.is_spot else 1000
    limit = page_size(params, default=min(500, most), most=most)
    d, q = listing.price_decimals, listing.qty_decimals
    prints = list(listing.tape.prints)[-limit:][::-1]
    return {
        "category": listing.category,
        "list": [
            {
                "execId": made.trade_id,
                "symbol": listing.symbol,
                "price": fixed(made.price, d),
                "size": plain(made.qty, q),
                "side": side_name(made.side),
                "time": str(made.ts_ms),
                "isBlockTrade": False,
                "isRPITrade": False,
                "seq": str(made.seq),
            }
            for made in prints
        ],
    }


def _funding_history(state: State, params: Params) -> dict[str, Any]:
    """Answer GET /v5/market/funding/history."""
    listing = state.listing(params)
    limit = page_size(params, default=200, most=200)
    try:
        start = int(params.get("startTime") or 0)
        end = int(params.get("endTime") or 2**62)
    except (TypeError, ValueError):
        raise Refused(10001, "params error: startTime or endTime invalid") from None
    rows = [row for row in state.funding[listing.key] if start <= row[0] <= end]
    return {
        "category": listing.category,
        "list": [
            {
                "symbol": listing.symbol,
                "fundingRate": plain(rate, 12),
                "fundingRateTimestamp": str(ts_ms),
            }
            for ts_ms, rate in rows[-limit:][::-1]
        ],
    }


def _risk_limit(state: State, params: Params) -> dict[str, Any]:
    """Answer GET /v5/market/risk-limit."""
    category = state.category(params)
    if category not in ("linear", "inverse"):
        raise Refused(10001, "Illegal category")
    chosen = [state.listing(params)] if params.get("symbol") else state.of_category(category)
    rows = [
        {
            "id": number,
            "symbol": listing.symbol,
            "riskLimitValue": f"{tier.limit_notional:f}",
            "maintenanceMargin": f"{tier.maintenance_rate:f}",
            "initialMargin": f"{tier.initial_rate:f}",
            "isLowestRisk": int(number == 1),
            "maxLeverage": f"{tier.max_leverage:f}",
            "mmDeduction": f"{tier.deduction:f}" if tier.deduction else "",
        }
        for listing in chosen
        for number, tier in enumerate(listing.instrument.tiers, 1)
    ]
    return {"category": category, "list": rows, "nextPageCursor": ""}


def _open_interest(state: State, params: Params) -> dict[str, Any]:
    """Answer GET /v5/market/open-interest: of the twin's accounts, at this moment."""
    listing = state.listing(params)
    held, _ = _held_long(listing)
    return {
        "symbol": listing.symbol,
        "category": listing.category,
        "list": [
            {
                "openInterest": plain(held, listing.qty_decimals),
                "timestamp": str(state.now_ms),
            }
        ],
        "nextPageCursor": "",
    }


def _price_limit(state: State, params: Params) -> dict[str, Any]:
    """Answer GET /v5/market/price-limit: the highest bid and the lowest ask there may be."""
    listing = state.listing({"category": "linear", **params})
    bid, ask = (fixed(price, listing.price_decimals) for price in listing.price_limits())
    return {"symbol": listing.symbol, "buyLmt": bid, "sellLmt": ask, "ts": str(state.now_ms)}


ROUTES: Mapping[str, Callable[[State, Params], dict[str, Any]]] = {
    "/v5/market/time": _server_time,
    "/v5/market/instruments-info": instruments_info,
    "/v5/market/tickers": _tickers,
    "/v5/market/orderbook": _orderbook,
    "/v5/market/kline": _kline,
    "/v5/market/mark-price-kline": _mark_kline,
    "/v5/market/index-price-kline": _index_kline,
    "/v5/market/recent-trade": _recent_trade,
    "/v5/market/funding/history": _funding_history,
    "/v5/market/risk-limit": _risk_limit,
    "/v5/market/open-interest": _open_interest,
    "/v5/market/price-limit": _price_limit,
}
