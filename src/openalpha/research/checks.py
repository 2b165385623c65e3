"""The checks behind a verdict. Each looks at one thing and speaks only when it has to."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from openalpha.research.wording import count, day, money, percent, plural, ratio

__all__ = ["CHECKS", "Check", "Circumstances", "Severity", "expected_best_sharpe"]


class Severity(IntEnum):
    """How much a check weighs."""

    NOTE = 0
    CAUTION = 1
    ALARM = 2


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that speaks against a result: a stable code, a weight, a sentence with numbers."""

    code: str
    severity: Severity
    sentence: str


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a verdict needs to know beside the metrics.

    Parameters
    ----------
    strategy : str
    currency : str
        Account currency.
    settings : mapping of group to mapping of key to value
        The settings of the run; groups costs, fills and risk are looked at.
    trip_pnl : float64[k]
        Net profit of each round trip.
    funding_gaps, data_gaps : sequence of (from_ms, to_ms)
        Stretches of the run without settlements, without bars.
    funding_worst_return : float or None
        Total return with the missing settlements set to the worse bound, where it was run.
    missing_bars : int
    has_funding : bool
        Whether any instrument of the run pays funding.
    has_mark : bool
        Whether every perpetual had a mark price.
    has_open_position : bool
        Whether a position was still open at the end.
    is_lookahead_allowed : bool
        Whether a strategy that sees the future was let through by name.
    liquidations : int
        Fills forced by the venue.
    trials : int
        Configurations of the family tried on overlapping history, this one included.
    """

    strategy: str
    currency: str
    settings: Mapping[str, Mapping[str, object]]
    trip_pnl: NDArray[np.float64]
    funding_gaps: Sequence[tuple[int, int]] = ()
    data_gaps: Sequence[tuple[int, int]] = ()
    funding_worst_return: float | None = None
    missing_bars: int = 0
    has_funding: bool = True
    has_mark: bool = True
    has_open_position: bool = False
    is_lookahead_allowed: bool = False
    liquidations: int = 0
    trials: int = 1


def expected_best_sharpe(trials: int, years: float) -> float:
    """Return the yearly Sharpe ratio the best of `trials` worthless rules shows by luck.

    The expected maximum of that many normal draws (Bailey and López de Prado), each with a
    standard error of 1/√years.

    Examples
    --------
    >>> round(expected_best_sharpe(100, 1.0), 3)
    2.531
    """
    if trials < 2 or years <= 0:
        return 0.0
    euler, quantile = 0.5772156649, NormalDist().inv_cdf
    best = (1 - euler) * quantile(1 - 1 / trials) + euler * quantile(1 - 1 / (trials * math.e))
    return best / math.sqrt(years)


Checks = list[Check]


def _activity(metrics: Mapping[str, float], facts: Circumstances) -> Checks:
    trips, days = metrics["round_trips"], metrics["years"] * 365
    found = []
    if metrics["fills"] == 0:
        found.append(Check("no_trades", Severity.ALARM, "No order was filled."))
    elif trips < 30:
        found.append(
            Check(
                "too_few_round_trips",
                Severity.ALARM if trips < 10 else Severity.CAUTION,
                f"{plural(trips, 'round trip')}: below 30 an average says little, "
                "below 10 next to nothing.",
            )
        )
    if days < 365:
        found.append(
            Check(
                "few_days",
                Severity.ALARM if days < 60 else Severity.CAUTION,
                f"{plural(round(days), 'day')} of history: under a year holds few kinds of market.",
            )
        )
    if facts.has_open_position:
        found.append(
            Check(
                "open_at_end",
                Severity.NOTE,
                "A position was open at the end: it is marked at the last close, not closed, and "
                "is in no round-trip figure.",
            )
        )
    return found


def _plausibility(metrics: Mapping[str, float], facts: Circumstances) -> Checks:
    sharpe, years, total = metrics["sharpe"], metrics["years"], metrics["total_return"]
    found = []
    if sharpe > 3:
        found.append(
            Check(
                "implausible_sharpe",
                Severity.ALARM if sharpe > 4 else Severity.CAUTION,
                f"A Sharpe ratio of {ratio(sharpe)} is rarer than a mistake in data, costs or "
                "code: look for one first.",
            )
        )
    if years > 0 and total > 0 and math.log1p(total) / years > math.log(11):
        found.append(
            Check(
                "implausible_return",
                Severity.ALARM,
                f"{percent(total, signed=True)} in {plural(round(years * 365), 'day')} is a pace "
                "of more than tenfold a year; no such result has held up live.",
            )
        )
    error = metrics["sharpe_error"]
    if total > 0 and math.isfinite(sharpe) and math.isfinite(error) and sharpe < 2 * error:
        found.append(
            Check(
                "not_beyond_luck",
                Severity.CAUTION,
                f"The Sharpe ratio of {ratio(sharpe)} is within two standard errors "
                f"(± {ratio(2 * error)}) of zero.",
            )
        )
    by_luck = expected_best_sharpe(facts.trials, years)
    if total > 0 and facts.trials > 1 and sharpe < 1.5 * by_luck:
        found.append(
            Check(
                "many_trials",
                Severity.CAUTION if sharpe >= by_luck else Severity.ALARM,
                f"{count(facts.trials)} configurations of this family were tried: the best of so "
                f"many worthless ones shows a Sharpe ratio near {ratio(by_luck)} over this span.",
            )
        )
    return found


def _concentration(metrics: Mapping[str, float], facts: Circumstances) -> Checks:
    pnl = np.sort(facts.trip_pnl)[::-1]
    total = float(pnl.sum())
    if total <= 0 or len(pnl) < 2:
        return []
    needed = int(np.searchsorted(np.cumsum(pnl), total * (1 - 1e-12)) + 1)
    share = needed / len(pnl)
    if needed > 5 and share > 0.05:
        return []
    return [
        Check(
            "profit_from_few_trades",
            Severity.ALARM if needed <= 2 else Severity.CAUTION,
            f"Without the best {plural(needed, 'round trip')} of {count(len(pnl))} "
            f"({percent(share)}) nothing of the {money(total, facts.currency)} would be left.",
        )
    ]


def _cost_burden(metrics: Mapping[str, float], facts: Circumstances) -> Checks:
    before, costs = metrics["profit_before_costs"], metrics["total_costs"]
    if before > 0 and costs >= before:
        return [
            Check(
                "costs_ate_profit",
                Severity.CAUTION,
                f"Costs of {money(costs, facts.currency)} turned a profit of "
                f"{money(before, facts.currency)} into a loss.",
            )
        ]
    if before > 0 and costs > 0.5 * before:
        return [
            Check(
                "cost_share",
                Severity.CAUTION,
                f"Costs took {percent(costs / before)} of the profit before costs: a slightly "
                "worse market would leave nothing.",
            )
        ]
    return []


def _flattering(metrics: Mapping[str, float], facts: Circumstances) -> Checks:
    costs = facts.settings.get("costs", {})
    path = facts.settings.get("fills", {}).get("path", "adverse")
    switched_off = []
    if _is_zero(costs.get("taker_bps")) and _is_zero(costs.get("maker_bps")):
        switched_off.append("fees")
    if _is_zero(costs.get("spread_bps")):
        switched_off.append("spread")
    if _is_zero(costs.get("impact")):
        switched_off.append("impact")
    if costs.get("funding") is False and facts.has_funding:
        switched_off.append("funding")
    found = []
    if switched_off or costs.get("preset") == "none":
        names = ", ".join(switched_off) or "costs by the preset 'none'"
        found.append(
            Check(
                "costs_off",
                Severity.ALARM,
                f"Switched off for this run: {names}. Live trading pays.",
            )
        )
    if path == "nearer_first":
        found.append(
            Check(
                "optimistic_path",
                Severity.CAUTION,
                "fills.path is nearer_first: where stop and target lie in one bar, the nearer one "
                "is taken, not the worse one.",
            )
        )
    if facts.is_lookahead_allowed:
        found.append(
            Check(
                "lookahead_allowed",
                Severity.ALARM,
                "The strategy saw the future and was let through by --allow-lookahead: no figure "
                "here can be traded.",
            )
        )
    if facts.settings.get("risk", {}).get("profile", "none") == "none":
        found.append(
            Check(
                "no_risk_limits",
                Severity.NOTE,
                "risk.profile is none: no daily-loss or drawdown limit was in force.",
            )
        )
    return found


def _is_zero(value: object) -> bool:
    return value is not None and not isinstance(value, bool) and float(str(value)) == 0.0


def _data(metrics: Mapping[str, float], facts: Circumstances) -> Checks:
    found = []
    if facts.data_gaps or facts.missing_bars:
        first = f", the first at {day(facts.data_gaps[0][0])}" if facts.data_gaps else ""
        found.append(
            Check(
                "data_gaps",
                Severity.CAUTION,
                f"{plural(facts.missing_bars, 'bar')} missing in "
                f"{plural(len(facts.data_gaps), 'gap')}{first}: nothing was made up for them.",
            )
        )
    if facts.funding_gaps:
        found.append(_funding_gaps(facts))
    if not facts.has_mark and facts.has_funding:
        found.append(
            Check(
                "mark_missing",
                Severity.NOTE,
                "No mark price: funding, margin and liquidation used the last price instead.",
            )
        )
    return found


def _funding_gaps(facts: Circumstances) -> Check:
    start, stop = facts.funding_gaps[0]
    text = (
        f"Funding is missing in {plural(len(facts.funding_gaps), 'stretch', many='stretches')}, "
        f"the first from {day(start)} to {day(stop)}"
    )
    if facts.funding_worst_return is not None:
        text += (
            "; with the worse of the known extremes there the total return is "
            f"{percent(facts.funding_worst_return, signed=True)}"
        )
    return Check("funding_gaps", Severity.CAUTION, text + ".")


def _survival(metrics: Mapping[str, float], facts: Circumstances) -> Checks:
    found = []
    if metrics["final_equity"] <= 0:
        found.append(Check("bankrupt", Severity.ALARM, "The account was wiped out."))
    if facts.liquidations:
        found.append(
            Check(
                "liquidated",
                Severity.ALARM,
                f"The venue liquidated {plural(facts.liquidations, 'time')}.",
            )
        )
    excess = metrics["excess_return"]
    if math.isfinite(excess) and excess < 0 < metrics["total_return"]:
        found.append(
            Check(
                "behind_benchmark",
                Severity.NOTE,
                f"Buying and holding made {percent(-excess)} of the capital more.",
            )
        )
    return found


CHECKS: tuple[Callable[[Mapping[str, float], Circumstances], Checks], ...] = (
    _flattering, _survival, _plausibility, _activity, _concentration, _cost_burden, _data,
)  # fmt: skip
"""Every check, in the order their sentences should stand where they weigh the same."""
