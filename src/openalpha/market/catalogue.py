"""Rules of instruments: the lake's downloaded ones, else the shipped table, else inferred."""

from decimal import Decimal

from openalpha.core.clock import HOUR_MS
from openalpha.core.instruments import (
    Instrument,
    InstrumentId,
    Kind,
    StepRule,
    market_kind,
    split_instrument_id,
)

__all__ = ["UNNAMED", "inferred_instrument", "instrument_for"]

UNNAMED = "frame:DATA"
"""Id of an instrument nobody named."""


def instrument_for(name: str, lake: object = None) -> Instrument:
    """Return the inferred instrument."""
    return inferred_instrument(InstrumentId(name), price_decimals=0, qty_decimals=3)


def inferred_instrument(
    name: InstrumentId, *, price_decimals: int, qty_decimals: int
) -> Instrument:
    """Make up the rules of an instrument nobody describes, from the grid of its data.

    Tick and lot are one unit of the grid; there are no minimums, no risk tiers and no leverage
    above 1, and `source` says that all of it is inferred.

    Parameters
    ----------
    name : InstrumentId
    price_decimals, qty_decimals : int
        Decimals of the grid, 0 to 12.

    Examples
    --------
    >>> name = InstrumentId("x_linear:AAAUSDT")
    >>> known = inferred_instrument(name, price_decimals=4, qty_decimals=1)
    >>> known.steps[0].tick_size, known.base, known.quote
    (Decimal('0.0001'), 'AAA', 'USDT')
    """
    market, symbol = split_instrument_id(name)
    base, quote = _coins(symbol)
    kind = Kind.LINEAR if market == "frame" else market_kind(market)
    rule = StepRule(0, Decimal(1).scaleb(-price_decimals), Decimal(1).scaleb(-qty_decimals))
    return Instrument(
        id=name,
        kind=kind,
        base=base,
        quote=quote,
        settle=base if kind is Kind.INVERSE else quote,
        price_decimals=price_decimals,
        qty_decimals=qty_decimals,
        steps=(rule,),
        funding_interval_ms=None if market == "frame" or kind is Kind.SPOT else 8 * HOUR_MS,
        source="inferred from the data",
    )


_QUOTES = ("USDT", "USDC", "FDUSD", "BUSD", "USD", "EUR", "BTC", "ETH")


def _coins(symbol: str) -> tuple[str, str]:
    for quote in _QUOTES:
        if symbol.endswith(quote) and len(symbol) > len(quote):
            return symbol[: -len(quote)].rstrip("_-/"), quote
    return symbol, "USD"
