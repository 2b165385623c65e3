"""The backtests of a home with their key figures, read from their folders."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openalpha.core.clock import parse_ms
from openalpha.core.errors import UnknownName
from openalpha.core.messages import Environment
from openalpha.research.trials import TrialLedger
from openalpha.store.runs import RunStore, StoredRun

__all__ = ["KeptBacktest", "backtests_kept", "summary_of"]

_KEY_FIGURES = (
    "total_return", "cagr", "sharpe", "max_drawdown", "round_trips", "win_rate", "total_costs",
    "net_profit", "benchmark_return",
)  # fmt: skip
_NAN = math.nan


@dataclass(frozen=True, slots=True)
class KeptBacktest:
    """One backtest as a list shows it; `metrics` are its key figures, NaN where not defined."""

    run: str
    created: str
    strategy: str
    params: Mapping[str, Any]
    instruments: tuple[str, ...]
    timeframe: str
    start: str
    end: str
    trials: int
    metrics: Mapping[str, float]
    verdict: str


def backtests_kept(home: Path, *, family: str = "") -> list[KeptBacktest]:
    """Return the backtests of a home, oldest first.

    Parameters
    ----------
    home : Path
    family : str
        Only those whose strategy counts with this name on their instruments and span; "" for all.

    Raises
    ------
    StorageError
        If a folder is damaged.
    """
    ledger = TrialLedger(home) if family else None
    known: dict[tuple[Any, ...], tuple[str, ...]] = {}
    found = []
    for stored in RunStore(home).runs(Environment.BACKTEST):
        row = _row(stored)
        if ledger is not None:
            key = (row.instruments, row.start, row.end)
            if key not in known:
                span = {"start_ms": parse_ms(row.start), "end_ms": parse_ms(row.end)}
                known[key] = ledger.family(family, row.instruments, **span).names
            if row.strategy not in known[key]:
                continue
        found.append(row)
    return found


def summary_of(stored: StoredRun) -> dict[str, Any]:
    """Return the summary of a stored backtest; of a folder without one from its result.

    Raises
    ------
    StorageError
        If a document is damaged.
    """
    try:
        return stored.document("summary")
    except UnknownName:
        result = stored.document("result")
    span = {name: result["span"][name] for name in ("start_ms", "end_ms", "timeframe_ms")}
    return {
        "currency": result["account"]["currency"],
        "capital": result["account"]["capital"],
        **span,
        "metrics": result["metrics"],
        "verdict": result["verdict"] | {"label": result["verdict"]["severity"]},
    }


def _row(stored: StoredRun) -> KeptBacktest:
    record, summary = stored.record, summary_of(stored)
    data = list(record["data"].values())
    metrics = summary["metrics"]
    return KeptBacktest(
        run=stored.id,
        created=record["created"],
        strategy=record["strategy"],
        params=record["params"],
        instruments=tuple(record["instruments"]),
        timeframe=data[0]["timeframe"],
        start=min(item["from"] for item in data),
        end=max(item["to"] for item in data),
        trials=record["trial"]["family"],
        metrics={
            name: _NAN if metrics.get(name) is None else metrics[name] for name in _KEY_FIGURES
        },
        verdict=summary["verdict"]["label"],
    )
