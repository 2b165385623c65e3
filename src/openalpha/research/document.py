"""A result as one JSON document of the layout `schema.ResultDocument` describes."""

import math
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import polars as pl

from openalpha.core.clock import DAY_MS
from openalpha.core.instruments import Instrument
from openalpha.core.reasons import Reason
from openalpha.research.drawdown import drawdowns
from openalpha.research.measures import Capture

if TYPE_CHECKING:
    from openalpha.research.judged import JudgedRun

__all__ = ["FULL_CURVE_BARS", "RESULT_VERSION", "result_document", "summary_document"]

RESULT_VERSION = 1
"""Version of the document. It rises when a reader of the old layout could be misled."""

SUMMARY_VERSION = 1
"""Version of a run folder's summary.json."""

FULL_CURVE_BARS = 50_000
"""A longer run's document holds the equity of each UTC day; the run folder holds every bar."""


def result_document(result: "JudgedRun") -> dict[str, Any]:
    """Return the document of a result: only what JSON can hold, NaN as null."""
    run = result.run
    return {
        "result_version": RESULT_VERSION,
        "kind": "backtest",
        "record": result.record,
        "account": {
            "currency": result.currency,
            "capital": str(run.capital),
            "final_equity": str(run.final_equity),
            "balances": {coin: str(amount) for coin, amount in run.balances.items()},
        },
        "span": {
            "start_ms": result.start_ms,
            "end_ms": result.end_ms,
            "timeframe_ms": int(run.timeframe_ms),
            "bars": len(run.ts_ms),
        },
        "metrics": {name: _number(value) for name, value in result.metrics.items()},
        "costs": {name: _number(value) for name, value in result.costs.items()},
        "verdict": _verdict(result),
        "after_tax": _after_tax(result),
        "open_items": result.open_items,
        "equity": _curve(result),
        "by_month": _rows(result.by_month),
        "by_instrument": _rows(result.by_instrument),
        "by_side": _rows(result.by_side),
        "by_hour": _rows(result.by_hour),
        "by_regime": _rows(result.by_regime),
        "against_benchmark": {
            name: _number(getattr(result.against, name)) for name in Capture.__slots__
        },
        "drawdown_bands": _bands(result),
        "round_trips": _exact(result.round_trips, result.instruments, _TRIP_UNITS),
        "fills": _exact(result.fills, result.instruments, _FILL_UNITS),
    }


def summary_document(result: "JudgedRun") -> dict[str, Any]:
    """Return what lists and comparisons read of a run: span, figures and verdict, few bytes."""
    return {
        "summary_version": SUMMARY_VERSION,
        "currency": result.currency,
        "capital": str(result.run.capital),
        "start_ms": result.start_ms,
        "end_ms": result.end_ms,
        "timeframe_ms": int(result.run.timeframe_ms),
        "metrics": {name: _number(value) for name, value in result.metrics.items()},
        "verdict": _verdict(result) | {"label": result.verdict.label},
    }


def _verdict(result: "JudgedRun") -> dict[str, Any]:
    verdict = result.verdict
    return {
        "headline": verdict.headline,
        "opinion": verdict.opinion,
        "severity": verdict.severity.name.lower(),
        "checks": [
            {
                "code": check.code,
                "severity": check.severity.name.lower(),
                "sentence": check.sentence,
            }
            for check in verdict.checks
        ],
    }


_PRICES, _QUANTITIES = "price_decimals", "qty_decimals"
_FILL_UNITS = {"price": _PRICES, "base_price": _PRICES, "qty": _QUANTITIES}
_TRIP_UNITS = {"qty": _QUANTITIES}


def _number(value: float) -> float | int | None:
    if not math.isfinite(value):
        return None
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def _after_tax(result: "JudgedRun") -> dict[str, Any]:
    found = result.after_tax
    return {
        "note": found.words,
        "reason": found.reason or None,
        "currency": "AUD",
        "entity": found.entity,
        "treatment": found.treatment,
        "derivatives": found.derivatives,
        "is_synthetic": found.is_synthetic,
        "capital": _text(found.capital),
        "final": _text(found.final),
        "tax": _text(found.tax),
        "by_year": [
            {"year": f"{year - 1}-{year % 100:02d}", "tax": _text(tax)}
            for year, tax in found.by_year
        ],
        "return_before": found.before,
        "return_after": found.total_return,
        "basis": found.basis,
    }


def _text(amount: Decimal | None) -> str | None:
    """Return an amount to the cent."""
    return None if amount is None else f"{amount:.2f}"


def _curve(result: "JudgedRun") -> dict[str, Any]:
    run = result.run
    is_full = len(run.ts_ms) <= FULL_CURVE_BARS
    if is_full:
        closes = run.ts_ms + run.timeframe_ms
        equity, exposure = run.equity, run.exposure
    else:
        rows = result.days.bar[result.days.bar >= 0]
        closes = run.ts_ms[rows] + run.timeframe_ms
        equity, exposure = run.equity[rows], run.exposure[rows]
    days = (closes - 1) // DAY_MS - int(result.days.day[0])
    benchmark = result.daily["benchmark"].to_numpy()[days]
    return {
        "resolution": "bar" if is_full else "day",
        "close_ms": closes.tolist(),
        "equity": [_number(value) for value in equity.tolist()],
        "exposure": [_number(value) for value in exposure.tolist()],
        "benchmark_of_day": [_number(value) for value in benchmark.tolist()],
    }


def _bands(result: "JudgedRun") -> dict[str, Any]:
    last = result.deepest_bands.tolist() if len(result.days) else [math.nan, math.nan]
    return {
        "deepest": _number(float(drawdowns(result.days.equity, float(result.run.capital)).max())),
        "half_within": _number(last[0]),
        "most_within": _number(last[1]),
    }


def _rows(frame: pl.DataFrame) -> list[dict[str, Any]]:
    return _records({name: _plain(frame[name]) for name in frame.columns})


def _exact(
    frame: pl.DataFrame, instruments: tuple[Instrument, ...], units: dict[str, str]
) -> list[dict[str, Any]]:
    """Return rows with prices and quantities as exact decimals in their instrument's units."""
    columns = {name: _plain(frame[name]) for name in frame.columns}
    for name, unit in units.items():
        formats = {str(i.id): f"{{:.{getattr(i, unit)}f}}".format for i in instruments}
        columns[name] = [
            formats[which](value) if isinstance(value, float) else value
            for which, value in zip(columns["instrument"], columns[name], strict=True)
        ]
    for name in ("reason", "exit_reason"):
        if name in columns:
            words = {code: Reason(code).name.lower() for code in set(columns[name])}
            columns[name] = [words[code] for code in columns[name]]
    return _records(columns)


def _records(columns: dict[str, list[Any]]) -> list[dict[str, Any]]:
    names = tuple(columns)
    return [dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _plain(column: pl.Series) -> list[Any]:
    """Return a column as JSON can hold it: NaN as null."""
    if column.dtype.is_float():
        return column.fill_nan(None).replace([math.inf, -math.inf], [None, None]).to_list()
    return column.cast(pl.String).to_list() if column.dtype.is_decimal() else column.to_list()
