"""What would change one's mind about a run: what evidence is missing, and what would end it."""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from openalpha.research.verdict import Verdict
from openalpha.research.wording import percent, plural, ratio

__all__ = ["Reconsidered", "reconsider"]

Metrics = Mapping[str, float]

_ENOUGH_TRIPS = 30
_MONTH, _YEAR = 30, 365


class Reconsidered(NamedTuple):
    """Sentences: what would speak for the run, and what would speak against it from here on."""

    more: tuple[str, ...]
    less: tuple[str, ...]


def reconsider(metrics: Metrics, verdict: Verdict) -> Reconsidered:
    """Return what evidence would change the verdict, with numbers taken from the run.

    Parameters
    ----------
    metrics : mapping of str to float
    verdict : Verdict
    """
    is_hedged = "hedged_legs" in verdict.codes()
    if is_hedged:  # a leg is no position: the pace of round trips means nothing
        metrics = {**metrics, "round_trips": math.nan}
    more = [words for code in verdict.codes() if code in _MORE for words in _MORE[code](metrics)]
    if metrics["fills"] > 0 and "many_trials" not in verdict.codes():
        more.append(
            "The same rule on time and instruments it was not made on, unchanged "
            "(openalpha walkforward)."
        )
    return Reconsidered(tuple(dict.fromkeys(more)), tuple(_less(metrics)))


def _less(m: Metrics) -> Iterator[str]:
    if not m["fills"]:
        return
    mean, spread = m["mean_daily_return"], m["volatility_annual"] / math.sqrt(_YEAR)
    if math.isfinite(mean) and math.isfinite(spread) and spread > 0:
        low = _MONTH * mean - 2 * math.sqrt(_MONTH) * spread
        if low > -1:
            yield (
                f"A month that returns less than {_near_zero(low)}: in this history's "
                "own terms that is beyond two standard deviations."
            )
    if 0 < m["max_drawdown"] < 2 / 3:
        deeper = _near_zero(1.5 * m["max_drawdown"])
        yield f"A drawdown beyond {deeper}, half as much again as the deepest here."
    before, costs, bps = m["profit_before_costs"], m["total_costs"], m["cost_bps"]
    if 0 < costs < before and math.isfinite(bps):
        yield (
            f"Costs of more than {ratio(bps * before / costs, digits=1)} bps of what is traded "
            f"(here {ratio(bps, digits=1)}): nothing would be left."
        )


def _near_zero(value: float) -> str:
    return percent(value, signed=value < 0, digits=1 if abs(value) >= 0.02 else 2)


def _days(m: Metrics) -> Iterator[str]:
    yield "At least a year of history, with rising, falling and quiet markets in it."


def _trips(m: Metrics) -> Iterator[str]:
    trips, days = m["round_trips"], m["years"] * _YEAR
    noun = "positions" if math.isnan(trips) else "round trips"
    text = f"{_ENOUGH_TRIPS} {noun} or more"
    if 0 < trips < _ENOUGH_TRIPS:
        text += f"; at the pace seen that takes {plural(round(days * 30 / trips), 'day')} in all"
    yield text + "."


def _luck(m: Metrics) -> Iterator[str]:
    sharpe, error, years = m["sharpe"], m["sharpe_error"], m["years"]
    if sharpe > 0 and error > 0:
        needed = years * (2 * error / sharpe) ** 2
        yield (
            f"The same Sharpe ratio over {ratio(needed, digits=1)} years: only then is "
            f"{ratio(sharpe)} two standard errors away from zero."
        )


def _costs(m: Metrics) -> Iterator[str]:
    before, costs, bps = m["profit_before_costs"], m["total_costs"], m["cost_bps"]
    if before > 0 and costs > 0 and math.isfinite(bps):
        yield (
            f"Costs below {ratio(bps * before / costs, digits=1)} bps of what is traded (here "
            f"{ratio(bps, digits=1)}), or fewer trades for the same profit before costs."
        )


def _holding(m: Metrics) -> Iterator[str]:
    yield (
        f"A stretch in which it does better than holding after costs, or falls far less: it fell "
        f"{percent(m['max_drawdown'])}, holding {percent(m['benchmark_max_drawdown'])}."
    )


def _said(words: str) -> Callable[[Metrics], Iterator[str]]:
    def said(m: Metrics) -> Iterator[str]:
        yield words

    return said


_MORE: Mapping[str, Callable[[Metrics], Iterator[str]]] = {
    "few_days": _days,
    "too_few_round_trips": _trips,
    "nothing_closed": _trips,
    "not_beyond_luck": _luck,
    "many_trials": _said(
        "A profit on time that none of the tried configurations saw (openalpha walkforward)."
    ),
    "profit_from_few_trades": _said("A profit that survives leaving out its best round trips."),
    "cost_share": _costs,
    "costs_ate_profit": _costs,
    "behind_benchmark": _holding,
    "implausible_sharpe": _said("The same result on prices of another source, bar by bar."),
    "implausible_return": _said("The same result on prices of another source, bar by bar."),
    "costs_off": _said("The same run with every cost switched on."),
    "costs_low": _said("The same run with the default costs."),
    "optimistic_path": _said("The same run with fills.path = adverse, or refine on finer bars."),
    "lookahead_allowed": _said("A rule that does not look ahead; this one cannot be judged."),
    "data_gaps": _said("The missing bars, or another span without gaps."),
    "funding_gaps": _said("The missing settlements of funding (openalpha data download)."),
    "liquidated": _said("A size at which the venue never had to liquidate."),
    "unhedged": _said("Legs that offset each other all the time: smaller lots, more capital."),
    "no_risk_limits": _said("The same run with risk.profile = live, as it would be traded."),
    "capacity": _said("The same run with less capital, or with fills over several bars."),
}
