"""Rules of instruments: the lake's downloaded ones, else the shipped table, else inferred."""

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Protocol

from openalpha.core.clock import HOUR_MS, parse_ms, parse_timeframe
from openalpha.core.instruments import (
    FeeSchedule,
    Instrument,
    InstrumentId,
    Kind,
    RiskTier,
    StepRule,
    market_kind,
    split_instrument_id,
)
from openalpha.core.units import decimals_of
from openalpha.market.rules_file import read_rules

__all__ = [
    "UNNAMED",
    "HasRoot",
    "inferred_instrument",
    "instrument_for",
    "known_instrument",
    "shipped_instruments",
]

UNNAMED = "frame:DATA"
"""Id of an instrument nobody named."""

_QUOTES = ("USDT", "USDC", "FDUSD", "BUSD", "USD", "EUR", "AUD", "BTC", "ETH")


class HasRoot(Protocol):
    """A lake, as far as this module needs one: the folder that holds downloaded rules."""

    @property
    def root(self) -> Path:
        """Return the lake's folder."""
        ...


def instrument_for(
    name: str, lake: HasRoot | None = None, *, grid: tuple[int, int] = (8, 8)
) -> Instrument:
    """Return the rules of an instrument; its `source` says where they come from.

    Parameters
    ----------
    name : str
        `bybit_linear:BTCUSDT`.
    lake : Lake or None
        Where downloaded rules lie; they win over the shipped table.
    grid : (price decimals, quantity decimals)
        Used where nobody knows the instrument: its tick and lot are then one unit of this grid.

    Raises
    ------
    InputError
        If the name is not `MARKET:SYMBOL`.

    Examples
    --------
    >>> known = instrument_for("bybit_linear:BTCUSDT")
    >>> known.steps[0].tick_size, known.tiers[0].maintenance_rate
    (Decimal('0.1'), Decimal('0.005'))
    """
    known = known_instrument(name, lake)
    if known is not None:
        return known
    return inferred_instrument(InstrumentId(name), price_decimals=grid[0], qty_decimals=grid[1])


def known_instrument(name: str, lake: HasRoot | None = None) -> Instrument | None:
    """Return the rules of an instrument where the lake or the shipped table has them.

    Raises
    ------
    InputError
        If the name is not `MARKET:SYMBOL`.
    """
    market, symbol = split_instrument_id(name)
    if lake is not None:
        downloaded = read_rules(lake.root, market).get(symbol)
        if downloaded is not None:
            return downloaded
    return shipped_instruments().get(InstrumentId(name))


def inferred_instrument(
    name: InstrumentId, *, price_decimals: int, qty_decimals: int
) -> Instrument:
    """Make up the rules of an instrument nobody describes, from the grid of its data.

    Tick and lot are one unit of the grid; there are no minimums, no risk tiers and no leverage
    above 1, and `source` says that all of it is inferred. Fees are those of the market, where the
    shipped table knows it.

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
        fees=_market_fees(market),
        funding_interval_ms=None if market == "frame" or kind is Kind.SPOT else 8 * HOUR_MS,
        source="inferred from the grid of the data (no risk tiers known)",
    )


@cache
def _table() -> Mapping[str, Any]:
    text = (files("openalpha.market") / "instruments.toml").read_text("utf-8")
    return tomllib.loads(text)


def _market_fees(market: str) -> FeeSchedule | None:
    defaults = _table()["market"].get(market)
    if defaults is None:
        return None
    return FeeSchedule(Decimal(defaults["maker_bps"]), Decimal(defaults["taker_bps"]))


@cache
def shipped_instruments() -> Mapping[InstrumentId, Instrument]:
    """Return the table that ships with the program: the main instruments of Bybit and Binance."""
    table = _table()
    rows = (_from_table(row, table) for row in table["instrument"])
    return {row.id: row for row in rows}


def _from_table(row: Mapping[str, Any], table: Mapping[str, Any]) -> Instrument:
    market, _ = split_instrument_id(row["id"])
    defaults = table["market"][market]
    kind = Kind[defaults["kind"].upper()]
    steps = tuple(
        StepRule(0 if since == "0" else parse_ms(since), Decimal(tick), Decimal(lot))
        for since, tick, lot in row["steps"]
    )
    interval = defaults.get("funding_interval")
    instrument = Instrument(
        id=InstrumentId(row["id"]),
        kind=kind,
        base=row["base"],
        quote=row["quote"],
        settle=row["base"] if kind is Kind.INVERSE else row["quote"],
        price_decimals=max(decimals_of(rule.tick_size) for rule in steps),
        qty_decimals=max(decimals_of(rule.lot_size) for rule in steps),
        steps=steps,
        min_qty=Decimal(row.get("min_qty", "0")),
        min_notional=Decimal(defaults.get("min_notional", "0")),
        max_leverage=Decimal(row.get("max_leverage", "1")),
        fees=_market_fees(market),
        tiers=tuple(RiskTier(*map(Decimal, tier)) for tier in row.get("tiers", ())),
        funding_interval_ms=None if interval is None else parse_timeframe(interval),
        funding_cap=Decimal(row["funding_cap"]) if "funding_cap" in row else None,
        source="; ".join(table["sources"][name] for name in row["sources"]),
    )
    if not instrument.tiers and kind is not Kind.SPOT:
        return replace(instrument, source=f"{instrument.source}; risk tiers unknown")
    return instrument


def _coins(symbol: str) -> tuple[str, str]:
    for quote in _QUOTES:
        if symbol.endswith(quote) and len(symbol) > len(quote):
            return symbol[: -len(quote)].rstrip("_-/"), quote
    return symbol, "USD"
