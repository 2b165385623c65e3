"""The checks behind a verdict. Each looks at one thing and speaks only when it has to."""

import math
from collections.abc import Callable, Mapping
from statistics import NormalDist

import numpy as np

from openalpha.research.capacity import FAIR_SHARE
from openalpha.research.circumstances import Check, Circumstances, Severity
from openalpha.research.wording import count, day, money, percent, plural, ratio
from openalpha.venue.rules import REALISTIC_IMPACT_BPS, REALISTIC_SPREAD_BPS
from openalpha.venue.settings import calibrated_spreads

__all__ = ["CHECKS", "expected_best_sharpe"]


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

_CHARGED = {"maker_bps": "", "taker_bps": "", "spread_bps": "spread", "impact": "impact"}
_LIMITS = (
    "max_position", "max_order", "max_trades_per_day", "daily_loss", "max_drawdown", "stop",
)  # fmt: skip
# Legs are filled an event apart: that much of the time is no fault.
_SELDOM = 0.02


def _activity(metrics: Mapping[str, float], facts: Circumstances) -> Checks:
    days = metrics["years"] * 365
    found = [*_closed(metrics, facts), *_hedges(metrics, facts)]
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


def _closed(metrics: Mapping[str, float], facts: Circumstances) -> Checks:
    trips, noun = metrics["round_trips"], "round trip"
    if facts.hedged_legs:
        trips, noun = float(len(facts.trip_pnl)), "position"
    if metrics["fills"] == 0:
        return [Check("no_trades", Severity.ALARM, "No order was filled.")]
    if trips == 0:
        return [
            Check(
                "nothing_closed",
                Severity.CAUTION,
                "No position was closed: the equity curve can be judged, its drawdown and its "
                "distance to buying and holding; win rate and the like are not defined.",
            )
        ]
    if trips >= 30:
        return []
    return [
        Check(
            "too_few_round_trips",
            Severity.ALARM if trips < 10 else Severity.CAUTION,
            f"{plural(trips, noun)}: below 30 an average says little, below 10 next to nothing.",
        )
    ]


def _hedges(metrics: Mapping[str, float], facts: Circumstances) -> Checks:
    found = []
    if facts.hedged_legs:
        found.append(
            Check(
                "hedged_legs",
                Severity.NOTE,
                f"{plural(facts.hedged_legs, 'round trip')} were legs that hedged each other: "
                "what they made together is judged, each leg's profit alone means nothing.",
            )
        )
    share = facts.unhedged_share
    if share is not None and share > _SELDOM:
        found.append(
            Check(
                "unhedged",
                Severity.ALARM if share > 0.5 else Severity.CAUTION,
                f"Spot and contract did not offset each other in {percent(share)} of the time in "
                "the market: the run carried the price risk a hedge takes away, by orders that "
                "were refused or by lots too coarse for their size.",
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
    noun = "position" if facts.hedged_legs else "round trip"
    needed = int(np.searchsorted(np.cumsum(pnl), total * (1 - 1e-12)) + 1)
    share = needed / len(pnl)
    if needed > 5 and share > 0.05:
        return []
    return [
        Check(
            "profit_from_few_trades",
            Severity.ALARM if needed <= 2 else Severity.CAUTION,
            f"Without the best {plural(needed, noun)} of {count(len(pnl))} "
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


def _capacity(metrics: Mapping[str, float], facts: Circumstances) -> Checks:
    found = facts.capacity
    if found is None or found.share <= FAIR_SHARE:
        return []
    return [
        Check(
            "capacity",
            Severity.ALARM if found.share > 0.5 else Severity.CAUTION,
            f"One in twenty of its bars with a fill took more than {percent(found.share)} of the "
            f"volume traded in it: prices would not have stood still. Within "
            f"{percent(FAIR_SHARE, digits=0)} it can begin with at most "
            f"{money(found.capital, facts.currency)}.",
        )
    ]


def _flattering(metrics: Mapping[str, float], facts: Circumstances) -> Checks:
    path = facts.settings.get("fills", {}).get("path", "adverse")
    switched_off = _costs_off(facts)
    found = []
    if switched_off:
        found.append(
            Check(
                "costs_off",
                Severity.ALARM,
                f"Switched off for this run: {', '.join(switched_off)}. Live trading pays.",
            )
        )
    if low := [*facts.low_fees, *_costs_low(facts)]:
        found.append(
            Check(
                "costs_low",
                Severity.CAUTION,
                f"Cheaper than the defaults: {', '.join(low)}. A result should survive them.",
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
    return [*found, *_limits_off(facts)]


def _costs_off(facts: Circumstances) -> list[str]:
    """Return the costs that were nothing, named so or left out by the preset."""
    costs = dict(facts.settings.get("costs", {}))
    if costs.get("preset") == "none":
        costs |= {name: 0 for name in _CHARGED if costs.get(name) is None}
    maker, taker = _is_zero(costs.get("maker_bps")), _is_zero(costs.get("taker_bps"))
    off = ["fees"] if maker and taker else ["maker fee"] * maker + ["taker fee"] * taker
    off += [words for name, words in _CHARGED.items() if words and _is_zero(costs.get(name))]
    if costs.get("funding") is False and facts.has_funding:
        off.append("funding")
    return off


def _costs_low(facts: Circumstances) -> list[str]:
    """Return the costs that were set below their defaults but not to nothing."""
    costs = facts.settings.get("costs", {})
    usual = (
        ("spread_bps", "spread", REALISTIC_SPREAD_BPS),
        ("impact", "impact", REALISTIC_IMPACT_BPS),
    )
    low = [
        f"{words} {costs[name]} bps (default {by_default})"
        for name, words, by_default in usual
        if costs.get(name) is not None and 0 < float(str(costs[name])) < float(by_default)
    ]
    measured = calibrated_spreads(str(costs.get("calibrated", "")))
    low += [
        f"spread {spread:f} bps measured of {name} (default {REALISTIC_SPREAD_BPS})"
        for name, spread in measured.items()
        if spread < REALISTIC_SPREAD_BPS and costs.get("spread_bps") is None
    ]
    if _is_zero(costs.get("participation")):
        low.append("no limit to the share of a bar's volume taken (default 0.1)")
    return low


def _limits_off(facts: Circumstances) -> Checks:
    risk = facts.settings.get("risk", {})
    if risk.get("profile", "none") == "none":
        said = "risk.profile is none: no daily-loss or drawdown limit was in force."
        return [Check("no_risk_limits", Severity.NOTE, said)]
    off = [f"risk.{name}" for name in _LIMITS if _is_zero(risk.get(name))]
    if not off:
        return []
    said = f"Limits that are off because they are 0: {', '.join(off)}."
    return [Check("limits_off", Severity.CAUTION, said)]


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
    _flattering, _survival, _plausibility, _activity, _concentration, _cost_burden, _capacity,
    _data,
)  # fmt: skip
"""Every check, in the order their sentences should stand where they weigh the same."""
