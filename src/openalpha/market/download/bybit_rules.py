"""Reads Bybit's instruments-info and risk-limit rows into instruments."""

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from openalpha.core.clock import HOUR_MS, MINUTE_MS, format_ms
from openalpha.core.errors import VenueUnavailable
from openalpha.core.instruments import (
    FeeSchedule,
    Instrument,
    Kind,
    RiskTier,
    StepRule,
    instrument_id,
    market_kind,
)
from openalpha.core.units import decimals_of
from openalpha.market.download.source import Listing

__all__ = ["listing_of", "tiers_of"]

# The venue's entry tier; an account's own rates come with its keys.
_FEES = {
    Kind.SPOT: FeeSchedule(Decimal(10), Decimal(10)),
    Kind.LINEAR: FeeSchedule(Decimal(2), Decimal("5.5")),
    Kind.INVERSE: FeeSchedule(Decimal(2), Decimal("5.5")),
}


def listing_of(
    market: str, row: Mapping[str, Any], *, tiers: tuple[RiskTier, ...], now_ms: int
) -> Listing:
    """Return an instrument as one row of instruments-info states it.

    Raises
    ------
    VenueUnavailable
        If the row lacks what an instrument needs.
    """
    try:
        return Listing(_instrument(market, row, tiers, now_ms), int(row.get("launchTime") or 0))
    except (KeyError, ValueError, TypeError, InvalidOperation) as error:
        raise VenueUnavailable(
            f"{market} described {row.get('symbol', 'an instrument')} in a way this program does "
            f"not understand ({type(error).__name__}: {error}); try again, then update OpenAlpha"
        ) from None


def _instrument(
    market: str, row: Mapping[str, Any], tiers: tuple[RiskTier, ...], now_ms: int
) -> Instrument:
    kind = market_kind(market)
    lots, quote = row["lotSizeFilter"], row["quoteCoin"]
    tick = _positive(row["priceFilter"]["tickSize"])
    lot = _positive(lots["basePrecision"] if kind is Kind.SPOT else lots["qtyStep"])
    leverage = row.get("leverageFilter", {}).get("maxLeverage")
    return Instrument(
        id=instrument_id(market, row["symbol"]),
        kind=kind,
        base=row["baseCoin"],
        quote=quote,
        settle=row.get("settleCoin") or (row["baseCoin"] if kind is Kind.INVERSE else quote),
        price_decimals=decimals_of(tick),
        qty_decimals=decimals_of(lot),
        steps=(StepRule(0, tick, lot),),
        min_qty=_optional(lots.get("minOrderQty")) or lot,
        max_qty=_optional(lots.get("maxOrderQty") or lots.get("maxLimitOrderQty")),
        max_market_qty=_optional(lots.get("maxMktOrderQty") or lots.get("maxMarketOrderQty")),
        min_notional=_optional(lots.get("minNotionalValue") or lots.get("minOrderAmt"))
        or Decimal(0),
        max_leverage=_optional(leverage) or Decimal(1),
        fees=_FEES[kind],
        tiers=tiers,
        funding_interval_ms=_interval_ms(row),
        funding_cap=_cap(row),
        source=f"{market} instruments-info, {format_ms(now_ms)}",
    )


def tiers_of(rows: Sequence[Mapping[str, Any]]) -> tuple[RiskTier, ...]:
    """Return the rows of risk-limit, smallest limit first; an empty deduction is 0.

    Raises
    ------
    VenueUnavailable
        If a row lacks a number.

    Examples
    --------
    >>> row = {"riskLimitValue": "2000000", "maintenanceMargin": "0.005",
    ...        "initialMargin": "0.01", "maxLeverage": "100.00", "mmDeduction": ""}
    >>> tiers_of([row])[0].max_leverage
    Decimal('100.00')
    """
    try:
        tiers = [
            RiskTier(
                limit_notional=_positive(row["riskLimitValue"]),
                maintenance_rate=_positive(row["maintenanceMargin"]),
                initial_rate=_positive(row["initialMargin"]),
                max_leverage=_positive(row["maxLeverage"]),
                deduction=_optional(row.get("mmDeduction")) or Decimal(0),
            )
            for row in rows
        ]
    except (KeyError, ValueError, TypeError, InvalidOperation) as error:
        raise VenueUnavailable(
            f"the venue's risk limits cannot be understood ({type(error).__name__}: {error}); "
            "try again, then update OpenAlpha"
        ) from None
    return tuple(sorted(tiers, key=lambda tier: tier.limit_notional))


def _positive(text: object) -> Decimal:
    value = Decimal(str(text))
    if not value > 0:
        raise ValueError(f"{text} is not above 0")
    return value


def _optional(text: object) -> Decimal | None:
    if text is None or text == "":
        return None
    value = Decimal(str(text))
    if not value.is_finite():
        raise ValueError(f"{text} is not a number")
    return value


def _cap(row: Mapping[str, Any]) -> Decimal | None:
    limits = [_optional(row.get(name)) for name in ("upperFundingRate", "lowerFundingRate")]
    return max((abs(limit) for limit in limits if limit is not None), default=None)


def _interval_ms(row: Mapping[str, Any]) -> int | None:
    """Minutes by the venue's manual (60 to 480); a number up to 24 can only be hours."""
    stated = int(row.get("fundingInterval") or 0)
    if stated <= 0 or row.get("contractType") in ("LinearFutures", "InverseFutures"):
        return None
    return stated * (HOUR_MS if stated <= 24 else MINUTE_MS)
