"""Bybit's own words: error codes, rules, tiers, and what is asked of it."""

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from openalpha.core.clock import HOUR_MS, ManualClock
from openalpha.core.errors import InputError, UnknownName, VenueUnavailable
from openalpha.core.instruments import InstrumentId, Kind
from openalpha.market.download.bybit import BybitSource, judge_bybit
from openalpha.market.download.bybit_rules import listing_of, tiers_of
from openalpha.market.download.ccxt_port import VENUES, ported
from openalpha.market.rules_file import read_rules, rules_name, rules_text
from openalpha.market.series import SeriesKey, SeriesKind
from openalpha.net import MemoryTransport, Request, Response

NOW = 1_709_000_000_000


def reply(code: int = 0, headers: dict[str, str] | None = None, **result: Any) -> Response:
    body = {"retCode": code, "retMsg": "said", "result": result, "time": NOW}
    return Response(200, headers or {}, json.dumps(body).encode())


@pytest.mark.parametrize(
    ("response", "why", "wait_s", "is_for_everyone"),
    [
        (reply(10006), "retCode 10006", 1.0, True),
        (reply(10006, {"x-bapi-limit-reset-timestamp": str(NOW + 3000)}), "10006", 3.0, True),
        (reply(10006, {"x-bapi-limit-reset-timestamp": str(NOW - 3000)}), "10006", 0.1, True),
        (reply(10006, {"x-bapi-limit-reset-timestamp": str(NOW * 2)}), "10006", 10.0, True),
        (reply(10016), "retCode 10016", 0.0, False),
        (Response(200, {}, b"<html>"), "not Bybit's JSON", 0.0, False),
        (Response(200, {}, b"[]"), "not Bybit's JSON", 0.0, False),
        (Response(403, {}, b""), "HTTP 403", 1.0, True),
        (Response(500, {}, b""), "HTTP 500", 0.0, False),
    ],
)
def test_what_to_try_again(
    response: Response, why: str, wait_s: float, is_for_everyone: bool
) -> None:
    objection = judge_bybit(response)
    assert objection is not None
    assert why in objection.why
    assert objection.wait_s == pytest.approx(wait_s)
    assert objection.is_for_everyone == is_for_everyone


@pytest.mark.parametrize("response", [reply(0), reply(10001), Response(404, {}, b"none")])
def test_what_not_to_try_again(response: Response) -> None:
    assert judge_bybit(response) is None


LINEAR = {
    "symbol": "SOLUSDT", "contractType": "LinearPerpetual", "baseCoin": "SOL", "quoteCoin": "USDT",
    "settleCoin": "USDT", "launchTime": "1634256000000", "fundingInterval": 480,
    "leverageFilter": {"maxLeverage": "50.00"}, "priceFilter": {"tickSize": "0.010"},
    "lotSizeFilter": {"qtyStep": "0.1", "minOrderQty": "0.1", "maxOrderQty": "79770.0",
                      "maxMktOrderQty": "12000.0", "minNotionalValue": "5"},
}  # fmt: skip
SPOT = {
    "symbol": "ETHUSDT", "baseCoin": "ETH", "quoteCoin": "USDT",
    "priceFilter": {"tickSize": "0.01"},
    "lotSizeFilter": {"basePrecision": "0.00001", "minOrderQty": "0.00062",
                      "maxLimitOrderQty": "1229", "minOrderAmt": "1"},
}  # fmt: skip
INVERSE = {**LINEAR, "symbol": "BTCUSD", "contractType": "InversePerpetual", "baseCoin": "BTC",
           "quoteCoin": "USD", "settleCoin": "BTC"}  # fmt: skip


def test_rules_of_a_linear_perpetual() -> None:
    listing = listing_of("bybit_linear", LINEAR, tiers=(), now_ms=NOW)
    rules = listing.instrument
    assert listing.launch_ms == 1634256000000
    assert (rules.id, rules.kind, rules.base, rules.settle) == (
        "bybit_linear:SOLUSDT", Kind.LINEAR, "SOL", "USDT",
    )  # fmt: skip
    assert (rules.price_decimals, rules.qty_decimals) == (2, 1)
    assert (rules.min_notional, rules.max_qty, rules.max_market_qty) == (5, 79770, 12000)
    assert rules.max_leverage == 50
    assert rules.funding_interval_ms == 8 * HOUR_MS
    assert rules.fees is not None
    assert rules.fees.taker_bps == Decimal("5.5")
    assert rules.funding_cap is None


def test_the_funding_cap_is_the_wider_limit() -> None:
    row = {**LINEAR, "upperFundingRate": "0.00375", "lowerFundingRate": "-0.005"}
    rules = listing_of("bybit_linear", row, tiers=(), now_ms=NOW).instrument
    assert rules.funding_cap == Decimal("0.005")


def test_rules_are_read_as_they_were_kept(tmp_path: Path) -> None:
    row = {**LINEAR, "upperFundingRate": "0.00375", "lowerFundingRate": "-0.005"}
    rules = listing_of("bybit_linear", row, tiers=(), now_ms=NOW).instrument
    unknown = replace(rules, id=InstrumentId("bybit_linear:X"), fees=None, funding_cap=None)
    (tmp_path / "instruments").mkdir()
    (tmp_path / rules_name("bybit_linear")).write_text(rules_text([rules, unknown]))
    read = read_rules(tmp_path, "bybit_linear")
    assert read == {"SOLUSDT": rules, "X": unknown}


def test_rules_of_a_spot_instrument() -> None:
    rules = listing_of("bybit_spot", SPOT, tiers=(), now_ms=NOW).instrument
    assert (rules.kind, rules.settle, rules.qty_decimals) == (Kind.SPOT, "USDT", 5)
    assert rules.steps[0].lot_size == Decimal("0.00001")
    assert (rules.min_qty, rules.min_notional) == (Decimal("0.00062"), 1)
    assert rules.funding_interval_ms is None


def test_rules_of_an_inverse_perpetual() -> None:
    rules = listing_of("bybit_inverse", INVERSE, tiers=(), now_ms=NOW).instrument
    assert (rules.kind, rules.settle, rules.quote) == (Kind.INVERSE, "BTC", "USD")


@pytest.mark.parametrize(
    ("stated", "hours"), [(480, 8), (60, 1), (240, 4), ("480", 8), (8, 8), (0, None), (None, None)]
)
def test_funding_intervals(stated: object, hours: int | None) -> None:
    rules = listing_of("bybit_linear", {**LINEAR, "fundingInterval": stated}, tiers=(), now_ms=NOW)
    assert rules.instrument.funding_interval_ms == (hours * HOUR_MS if hours else None)


@pytest.mark.parametrize(
    "change",
    [{"priceFilter": {}}, {"priceFilter": {"tickSize": "0"}}, {"priceFilter": {"tickSize": "NaN"}},
     {"lotSizeFilter": {"qtyStep": "x"}}, {"launchTime": "soon"}, {"priceFilter": None}],
)  # fmt: skip
def test_rules_that_make_no_sense_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(VenueUnavailable, match="described SOLUSDT in a way"):
        listing_of("bybit_linear", {**LINEAR, **change}, tiers=(), now_ms=NOW)


def test_tiers_are_sorted_and_an_empty_deduction_is_nothing() -> None:
    row = {"riskLimitValue": "2000000", "maintenanceMargin": "0.005", "initialMargin": "0.01",
           "maxLeverage": "100.00", "mmDeduction": ""}  # fmt: skip
    larger = {**row, "riskLimitValue": "9000000", "mmDeduction": "1200"}
    assert [tier.deduction for tier in tiers_of([larger, row])] == [0, 1200]
    with pytest.raises(VenueUnavailable, match="risk limits"):
        tiers_of([{**row, "maxLeverage": ""}])


def asked(
    kind: SeriesKind, timeframe: str = "", market: str = "bybit_linear"
) -> tuple[str, dict[str, str]]:
    network = MemoryTransport(lambda request: reply(list=[]))
    source = BybitSource(market, network, clock=ManualClock(NOW), base_url="http://venue.test")
    source.page(SeriesKey(market, "BTCUSDT", kind, timeframe), (NOW - 60_000, NOW))
    parts = urlsplit(network.requests[-1].url)
    return parts.path, {name: values[0] for name, values in parse_qs(parts.query).items()}


@pytest.mark.parametrize(
    ("kind", "timeframe", "path", "query"),
    [
        (SeriesKind.BARS, "1m", "kline", {"interval": "1", "limit": "1000", "end": str(NOW - 1)}),
        (SeriesKind.BARS, "4h", "kline", {"interval": "240", "start": str(NOW - 60_000)}),
        (SeriesKind.BARS, "1d", "kline", {"interval": "D"}),
        (SeriesKind.MARK, "1h", "mark-price-kline", {"interval": "60"}),
        (SeriesKind.INDEX, "1h", "index-price-kline", {"category": "linear"}),
        (SeriesKind.FUNDING, "", "funding/history",
         {"startTime": str(NOW - 60_000), "endTime": str(NOW - 1), "limit": "200"}),
        (SeriesKind.OPEN_INTEREST, "", "open-interest", {"intervalTime": "1h", "limit": "200"}),
    ],
)  # fmt: skip
def test_what_is_asked(kind: SeriesKind, timeframe: str, path: str, query: dict[str, str]) -> None:
    found_path, found = asked(kind, timeframe)
    assert found_path == f"/v5/market/{path}"
    assert query.items() <= found.items()
    assert found["symbol"] == "BTCUSDT"


def test_a_timeframe_the_venue_has_not_is_refused() -> None:
    with pytest.raises(InputError, match="7m"):
        asked(SeriesKind.BARS, "7m")


def test_spot_has_bars_only() -> None:
    network = MemoryTransport(lambda request: reply(list=[]))
    source = BybitSource("bybit_spot", network, clock=ManualClock(NOW))
    assert [kind for kind in SeriesKind if source.has(kind)] == [SeriesKind.BARS]


def test_the_venues_time_is_asked_once_and_found_elsewhere_if_need_be() -> None:
    def answer(request: Request) -> Response:
        return Response(404, {}, b"none") if "/time" in request.url else reply(list=[])

    network = MemoryTransport(answer)
    source = BybitSource("bybit_linear", network, clock=ManualClock(5_000))
    assert [source.now_ms(), source.now_ms()] == [NOW, NOW]
    assert len(network.requests) == 6


def test_no_venue_behind_a_market() -> None:
    network = MemoryTransport(lambda request: reply())
    with pytest.raises(InputError, match="cannot be downloaded; known are"):
        ported("moon_linear", network, clock=ManualClock())
    for market in VENUES:
        assert ported(market, network, clock=ManualClock(7)).milliseconds() == 7


def recorded(real_data: Path, name: str) -> Response:
    return Response(200, {}, (real_data / "bybit_api_samples" / name).read_bytes())


def test_recorded_answers_are_understood(real_data: Path) -> None:
    files = {
        "instruments-info": "http_get_instruments_linear.json",
        "kline": "http_get_klines_linear.json",
        "funding/history": "http_get_funding_history.json",
    }

    def answer(request: Request) -> Response:
        for path, name in files.items():
            if path in request.url:
                return recorded(real_data, name)
        return reply(list=[])

    source = BybitSource("bybit_linear", MemoryTransport(answer), clock=ManualClock(NOW))
    btc, eth = source.listings(["BTCUSDT", "ETHUSDT"])
    assert btc.instrument.steps[0].tick_size == Decimal("0.5")
    assert eth.instrument.steps[0].lot_size == Decimal("0.01")
    assert btc.instrument.funding_interval_ms == 8 * HOUR_MS
    bars = source.page(SeriesKey("bybit_linear", "BTCUSDT", SeriesKind.BARS, "1m"), (0, NOW))
    assert bars.row(0) == (1709891679000, 27450.0, 27460.0, 27440.0, 27455.0, 123.45)
    rates = source.page(SeriesKey("bybit_linear", "BTCUSDT", SeriesKind.FUNDING), (0, NOW))
    assert rates["rate"].to_list() == [0.0001, 0.00015]
    with pytest.raises(UnknownName):
        source.listings(["NOSUCHUSDT"])
