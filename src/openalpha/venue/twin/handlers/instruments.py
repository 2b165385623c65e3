"""The rules of each market, as GET /v5/market/instruments-info shows them."""

from typing import Any

from openalpha.core.clock import MINUTE_MS
from openalpha.core.instruments import Kind
from openalpha.venue.twin.codes import Refused
from openalpha.venue.twin.listings import CASH, MOST_PRICE, PRICE_RANGE_BPS, Listing
from openalpha.venue.twin.numbers import plain
from openalpha.venue.twin.state import State
from openalpha.venue.twin.wire import Params, page

__all__ = ["instruments_info"]


def instruments_info(state: State, params: Params) -> dict[str, Any]:
    """Answer GET /v5/market/instruments-info."""
    category = state.category(params)
    status, symbol, base = (params.get(name) for name in ("status", "symbol", "baseCoin"))
    rows = []
    for listing in state.of_category(category):
        if symbol and listing.symbol != symbol:
            continue
        if base and listing.instrument.base != base:
            continue
        if status and listing.status != status:
            continue
        if not status and not symbol and listing.status in ("PreLaunch", "Closed"):
            continue
        rows.append(_instrument(listing))
    if symbol and not rows and not status:
        raise Refused(10001, "params error: symbol invalid")
    answer = page(rows, params, default=500, most=1000)
    if category == "spot":
        answer = {"list": rows, "nextPageCursor": ""}
    return {"category": category, **answer}


def _instrument(listing: Listing) -> dict[str, Any]:
    return _spot(listing) if listing.is_spot else _contract(listing)


def _steps(listing: Listing) -> tuple[str, str]:
    step = listing.instrument.steps[-1]
    return f"{step.tick_size.normalize():f}", f"{step.lot_size.normalize():f}"


def _most(listing: Listing) -> tuple[str, str]:
    rules = listing.instrument
    assert rules.max_qty is not None, "every market of the twin has a largest order"
    market = rules.max_qty if rules.max_market_qty is None else rules.max_market_qty
    return f"{rules.max_qty.normalize():f}", f"{market.normalize():f}"


def _price_range(kind: str) -> dict[str, str]:
    near, far = (plain(bps, 4) for bps in PRICE_RANGE_BPS[kind])
    return {"priceLimitRatioX": near, "priceLimitRatioY": far}


def _spot(listing: Listing) -> dict[str, Any]:
    rules = listing.instrument
    tick, lot = _steps(listing)
    most, market = _most(listing)
    return {
        "symbol": listing.symbol,
        "symbolId": 1 + listing.number,
        "baseCoin": rules.base,
        "quoteCoin": rules.quote,
        "innovation": "0",
        "symbolType": "",
        "status": listing.status,
        "marginTrading": "none",
        "stTag": "0",
        "lotSizeFilter": {
            "basePrecision": lot,
            "quotePrecision": f"0.{'0' * (CASH - 1)}1",
            "minOrderQty": f"{rules.min_qty:f}",
            "maxOrderQty": most,
            "minOrderAmt": f"{rules.min_notional:f}",
            "maxOrderAmt": "4000000",
            "maxLimitOrderQty": most,
            "maxMarketOrderQty": market,
            "postOnlyMaxLimitOrderSize": most,
        },
        "priceFilter": {"tickSize": tick},
        "riskParameters": _price_range("spot"),
    }


def _contract(listing: Listing) -> dict[str, Any]:
    rules = listing.instrument
    tick, lot = _steps(listing)
    most, market = _most(listing)
    is_inverse = rules.kind is Kind.INVERSE
    interval = rules.funding_interval_ms or 8 * 60 * MINUTE_MS
    return {
        "symbol": listing.symbol,
        "symbolId": 1 + listing.number,
        "contractType": "InversePerpetual" if is_inverse else "LinearPerpetual",
        "status": listing.status,
        "baseCoin": rules.base,
        "quoteCoin": rules.quote,
        "launchTime": str(listing.launched_ms),
        "deliveryTime": str(listing.delivery_ms),
        "deliveryFeeRate": "",
        "priceScale": str(listing.price_decimals),
        "leverageFilter": {
            "minLeverage": "1",
            "maxLeverage": f"{rules.max_leverage:f}",
            "leverageStep": "0.01",
        },
        "priceFilter": {
            "minPrice": tick,
            "maxPrice": str(MOST_PRICE),
            "tickSize": tick,
        },
        "lotSizeFilter": {
            "maxOrderQty": most,
            "minOrderQty": f"{rules.min_qty:f}",
            "qtyStep": lot,
            "postOnlyMaxOrderQty": most,
            "maxMktOrderQty": market,
            "minNotionalValue": "" if is_inverse else f"{rules.min_notional:f}",
        },
        "unifiedMarginTrade": True,
        "fundingInterval": interval // MINUTE_MS,
        "settleCoin": rules.settle,
        "copyTrading": "none",
        "upperFundingRate": "0.003",
        "lowerFundingRate": "-0.003",
        "displayName": "",
        "forbidUplWithdrawal": False,
        "riskParameters": _price_range("contract"),
        "isPreListing": listing.status == "PreLaunch",
        "preListingInfo": None,
        "symbolType": "",
        "skipCallAuction": False,
    }
