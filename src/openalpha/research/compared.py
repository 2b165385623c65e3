"""A run as a comparison needs it, from a result in memory or from its folder on disk."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from openalpha.core.clock import format_ms, timeframe_name
from openalpha.core.instruments import Kind
from openalpha.research.circumstances import Check, Severity
from openalpha.research.daily import daily_series
from openalpha.research.run_list import summary_of
from openalpha.research.verdict import Verdict
from openalpha.store.runs import StoredRun

if TYPE_CHECKING:
    from openalpha.research.judged import JudgedRun

__all__ = ["Compared", "cautions", "compared", "compared_run", "labels", "unlike"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """One of several runs side by side.

    Parameters
    ----------
    run : str
        Its id; empty where it was not kept.
    strategy : str
    instruments : tuple of str
    traded : str
        The same in few words.
    currency : str
    capital : float
    span : (start_ms, end_ms)
    timeframe_ms : int
    metrics : mapping of str to float
    verdict : Verdict
    ts_ms, equity : int64[n], float64[n]
        Bar opens, and the equity at each close.
    made_from : mapping of str to str
        Parameters, settings and fingerprints, `group.name` to its text.
    """

    run: str
    strategy: str
    instruments: tuple[str, ...]
    traded: str
    currency: str
    capital: float
    span: tuple[int, int]
    timeframe_ms: int
    metrics: Mapping[str, float]
    verdict: Verdict
    ts_ms: NDArray[np.int64]
    equity: Floats
    made_from: Mapping[str, str]

    @property
    def days(self) -> Floats:
        """The equity at the end of each UTC day."""
        return daily_series(
            self.ts_ms, self.equity, timeframe_ms=self.timeframe_ms, capital=self.capital
        ).equity


def compared(result: "JudgedRun") -> Compared:
    """Return a result as one of several."""
    return Compared(
        run="",
        strategy=result.context.strategy,
        instruments=tuple(result.context.histories),
        traded=", ".join(
            item.symbol + (" spot" if item.kind is Kind.SPOT else "") for item in result.instruments
        ),
        currency=result.currency,
        capital=float(result.run.capital),
        span=(result.start_ms, result.end_ms),
        timeframe_ms=int(result.run.timeframe_ms),
        metrics=result.metrics,
        verdict=result.verdict,
        ts_ms=result.run.ts_ms,
        equity=result.run.equity,
        made_from=_made_from(result.record),
    )


def compared_run(stored: StoredRun) -> Compared:
    """Return a stored backtest as one of several.

    Raises
    ------
    UnknownName
        If the folder lacks what a backtest keeps.
    StorageError
        If it is damaged.
    """
    record, summary = stored.record, summary_of(stored)
    told, curve = summary["verdict"], stored.frame("equity")
    checks = (
        Check(row["code"], Severity[row["severity"].upper()], row["sentence"])
        for row in told["checks"]
    )
    return Compared(
        run=stored.id,
        strategy=record["strategy"],
        instruments=tuple(record["instruments"]),
        traded=", ".join(_short(name) for name in record["instruments"]),
        currency=summary["currency"],
        capital=float(summary["capital"]),
        span=(summary["start_ms"], summary["end_ms"]),
        timeframe_ms=summary["timeframe_ms"],
        metrics={
            name: math.nan if value is None else float(value)
            for name, value in summary["metrics"].items()
        },
        verdict=Verdict(told["headline"], told["opinion"], tuple(checks)),
        ts_ms=curve["ts_ms"].to_numpy(),
        equity=curve["equity"].to_numpy(),
        made_from=_made_from(record),
    )


def labels(runs: Sequence[Compared]) -> list[str]:
    """Return a name for each run: its strategy, and where that is not enough what sets it apart.

    Where even that is the same they are numbered.
    """
    names = [run.strategy for run in runs]
    for strategy in dict.fromkeys(names):
        rows = [at for at, run in enumerate(runs) if run.strategy == strategy]
        apart = unlike([runs[at] for at in rows])
        for place, at in enumerate(rows):
            words = [
                f"{what.rpartition('.')[2]} {texts[place]}"
                for what, texts in apart.items()
                if what.startswith(("params.", "settings."))
            ]
            names[at] = " ".join([strategy, ", ".join(words[:3])]).strip()
    return [
        f"{name} ({names[: at + 1].count(name)})" if names.count(name) > 1 else name
        for at, name in enumerate(names)
    ]


def unlike(runs: Sequence[Compared]) -> dict[str, list[str]]:
    """Return what the runs were made from where they are not all the same, a text for each run."""
    names = dict.fromkeys(name for run in runs for name in run.made_from)
    found = {name: [run.made_from.get(name, "–") for run in runs] for name in names}
    return {name: texts for name, texts in found.items() if len(set(texts)) > 1}


def cautions(runs: Sequence[Compared]) -> Iterator[str]:
    """Yield a sentence for each thing that keeps the runs from being compared as they stand."""
    if len({run.span for run in runs}) > 1:
        spans = ", ".join(sorted({"–".join(format_ms(ms)[:10] for ms in run.span) for run in runs}))
        yield f"They cover different times ({spans}): a calm year flatters whoever had it."
    if len({run.instruments for run in runs}) > 1:
        yield "They traded different instruments: part of the distance is what those did."
    if len({run.currency for run in runs}) > 1:
        yield "Their accounts are kept in different currencies: amounts do not compare."
    if len({run.capital for run in runs}) > 1:
        yield "They began with different capital: compare returns, not amounts."
    if len({run.timeframe_ms for run in runs}) > 1:
        names = ", ".join(sorted({timeframe_name(run.timeframe_ms) for run in runs}))
        yield f"Their bars differ ({names}): drawdowns are seen more finely on shorter ones."
    groups = {what.split(".")[1] for what in unlike(runs) if what.startswith("settings.")} & {
        "costs",
        "fills",
        "margin",
        "sizing",
        "risk",
    }
    for name in sorted(groups):
        yield f"Their settings of {name} differ: part of the distance between them is that."
    if any(what.startswith("data.") for what in unlike(runs)):
        same = len({run.instruments for run in runs}) == 1 and len({run.span for run in runs}) == 1
        if same:
            yield "Their data is not the same although instruments and span are."


def _short(name: str) -> str:
    market, _, symbol = name.partition(":")
    return symbol + (" spot" if "spot" in market else "")


def _made_from(record: Mapping[str, Any]) -> dict[str, str]:
    found = {"instruments": ", ".join(record["instruments"]), "code": record["source_hash"][:12]}
    found |= {f"params.{name}": str(value) for name, value in record["params"].items()}
    for group, values in record["settings"].items():
        found |= {f"settings.{group}.{name}": str(value) for name, value in values.items()}
    for name, data in record["data"].items():
        found[f"data.{name}"] = data["fingerprint"][:12]
    for name, text in record["versions"].items():
        found[f"versions.{name}"] = text
    return found
