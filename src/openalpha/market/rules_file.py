"""Instrument rules as downloaded: one JSON file a market in the lake, each row with its source."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Any

from openalpha.core.errors import DataError
from openalpha.core.instruments import (
    FeeSchedule,
    Instrument,
    InstrumentId,
    Kind,
    RiskTier,
    StepRule,
)

__all__ = ["merged_rules", "read_rules", "rules_name", "rules_of", "rules_row", "rules_text"]

_SCHEMA = 1
_DECIMALS = ("multiplier", "min_qty", "max_qty", "max_market_qty", "min_notional", "max_leverage",
             "funding_cap")  # fmt: skip


def rules_name(market: str) -> PurePosixPath:
    """Return the file of a market's rules below the lake."""
    return PurePosixPath("instruments", f"{market}.json")


def read_rules(root: Path, market: str) -> Mapping[str, Instrument]:
    """Return the rules a lake holds of a market: symbol -> instrument; empty when it has none.

    Raises
    ------
    DataError
        If the file cannot be understood.
    """
    path = root / rules_name(market)
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return {}
    try:
        kept = json.loads(text)
        rows = [rules_of(row) for row in kept["instruments"]]
    except (ValueError, KeyError, TypeError, ArithmeticError) as error:
        raise DataError(
            f"{path} cannot be read ({error}); remove it and download the rules again"
        ) from None
    return {row.symbol: row for row in rows}


def rules_text(instruments: Iterable[Instrument]) -> str:
    """Return the text of a rules file, in order of symbol.

    Examples
    --------
    >>> rules_text([]).splitlines()[1]
    ' "schema": 1,'
    """
    rows = [rules_row(item) for item in sorted(instruments, key=lambda item: item.id)]
    return json.dumps({"schema": _SCHEMA, "instruments": rows}, indent=1) + "\n"


def merged_rules(
    known: Mapping[str, Instrument], fresh: Iterable[Instrument], *, now_ms: int
) -> dict[str, Instrument]:
    """Put freshly downloaded rules over known ones, keeping the dated steps of the past.

    A tick or lot that differs from the latest known one is in force from `now_ms` on; before that
    the known ones stay.
    """
    merged = dict(known)
    for item in fresh:
        before = merged.get(item.symbol)
        steps = item.steps
        if before is not None:
            last, new = before.steps[-1], item.steps[-1]
            is_same = (last.tick_size, last.lot_size) == (new.tick_size, new.lot_size)
            changed = StepRule(now_ms, new.tick_size, new.lot_size)
            steps = before.steps if is_same else (*before.steps, changed)
        merged[item.symbol] = replace(
            item,
            steps=steps,
            price_decimals=max(item.price_decimals, before.price_decimals if before else 0),
            qty_decimals=max(item.qty_decimals, before.qty_decimals if before else 0),
        )
    return merged


def rules_row(item: Instrument) -> dict[str, Any]:
    """Return an instrument as JSON can hold it; `rules_of` reads it back."""
    row = asdict(item)
    row["kind"] = item.kind.name
    return json.loads(json.dumps(row, default=str))  # type: ignore[no-any-return]  # a dict in, a dict out


def rules_of(row: Mapping[str, Any]) -> Instrument:
    """Return the instrument that `rules_row` wrote."""
    values = dict(row)
    values["id"] = InstrumentId(row["id"])
    values["kind"] = Kind[row["kind"]]
    values["steps"] = tuple(
        StepRule(step["since_ms"], Decimal(step["tick_size"]), Decimal(step["lot_size"]))
        for step in row["steps"]
    )
    if row["fees"] is not None:
        rates = (Decimal(row["fees"][name]) for name in ("maker_bps", "taker_bps"))
        values["fees"] = FeeSchedule(*rates)
    values["tiers"] = tuple(
        RiskTier(**{name: Decimal(value) for name, value in tier.items()}) for tier in row["tiers"]
    )
    for name in _DECIMALS:
        if row.get(name) is not None:
            values[name] = Decimal(row[name])
    return Instrument(**values)
