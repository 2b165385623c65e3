"""Figures of a run, each defined in `definitions`. NaN says "not defined here", never zero."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from openalpha.core.clock import DAY_MS, HOUR_MS
from openalpha.core.messages import EffectKind
from openalpha.core.orders import Role
from openalpha.research.curve import Curve
from openalpha.research.daily import DAYS_A_YEAR, DailySeries
from openalpha.research.definitions import DEFINITIONS
from openalpha.research.drawdown import drawdowns, longest_spell, spell_of_deepest
from openalpha.research.facts import CashColumns, FillColumns
from openalpha.research.roundtrips import RoundTrips

__all__ = ["Measured", "compute", "month_returns", "sharpe_ratio"]

Floats = NDArray[np.float64]
NAN = float("nan")
_FLAT = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """What the figures are computed from.

    Parameters
    ----------
    capital : float
        Equity before the first bar, account currency.
    start_ms, end_ms : int
        First bar's open and last bar's close.
    equity : float64[n]
        At bar closes.
    curve : Curve
        The same equity, and the exposure, summed up.
    days : DailySeries
        The same equity by UTC day.
    fills, trips, cash
        What was traded.
    benchmark : float64[k] or None
        Value of the benchmark at each day's end, in units of its start (starts from 1).
    """

    capital: float
    start_ms: int
    end_ms: int
    equity: Floats
    curve: Curve
    days: DailySeries
    fills: FillColumns
    trips: RoundTrips
    cash: CashColumns
    benchmark: Floats | None = None


def compute(facts: Measured) -> dict[str, float]:
    """Compute every metric of `DEFINITIONS`, in its order.

    Returns
    -------
    dict of str to float
        NaN where a figure is not defined (no trade, one day, no movement, no loser …). Counts are
        whole numbers held as floats.
    """
    with np.errstate(all="ignore"):
        found: dict[str, float] = {}
        found.update(_money(facts))
        found.update(_risk(facts, found["cagr"]))
        found.update(_trades(facts.trips))
        found.update(_activity(facts))
        found.update(_costs(facts, found["net_profit"]))
        found.update(_against(facts, found["total_return"]))
    return {item.name: found[item.name] for item in DEFINITIONS}


def sharpe_ratio(returns: Floats) -> float:
    """Return the yearly Sharpe ratio of daily simple returns, NaN where it has no meaning.

    Examples
    --------
    >>> round(sharpe_ratio(np.array([0.01, -0.005, 0.02, 0.0])), 3)
    10.77
    """
    if len(returns) < 2:
        return NAN
    deviation = float(returns.std(ddof=1))
    if deviation <= _FLAT:
        return NAN
    return float(returns.mean()) / deviation * math.sqrt(DAYS_A_YEAR)


def month_returns(days: DailySeries) -> tuple[NDArray[np.int64], Floats]:
    """Return the months of a series (counted from 1970-01) and their compounded returns."""
    month = days.month()
    if not len(month):
        return month, np.empty(0)
    starts = np.flatnonzero(np.append(True, month[1:] != month[:-1]))
    return month[starts], np.multiply.reduceat(1.0 + days.returns, starts) - 1.0


def _over(part: float, whole: float) -> float:
    return part / whole if whole else NAN


def _money(facts: Measured) -> dict[str, float]:
    final = float(facts.equity[-1]) if len(facts.equity) else facts.capital
    returns = facts.days.returns
    _, months = month_returns(facts.days)
    span_ms = facts.end_ms - facts.start_ms
    years = span_ms / (DAYS_A_YEAR * DAY_MS)
    growth = max(final, 0.0) / facts.capital
    return {
        "final_equity": final,
        "net_profit": final - facts.capital,
        "total_return": final / facts.capital - 1.0,
        "cagr": _power(growth, years) - 1.0 if span_ms >= DAY_MS else NAN,
        "years": years,
        "mean_daily_return": _mean(returns),
        "best_day": _largest(returns),
        "worst_day": -_largest(-returns),
        "best_month": _largest(months),
        "worst_month": -_largest(-months),
        "positive_day_share": _over(float(np.count_nonzero(returns > 0)), len(returns)),
        "positive_month_share": _over(float(np.count_nonzero(months > 0)), len(months)),
    }


def _power(growth: float, years: float) -> float:
    try:
        return float(growth ** (1.0 / years))
    except OverflowError:
        return NAN


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else NAN


def _largest(values: Floats) -> float:
    return float(values.max()) if len(values) else NAN


def _risk(facts: Measured, cagr: float) -> dict[str, float]:
    returns, closes = facts.days.returns, facts.days.equity
    spell = spell_of_deepest(closes, facts.capital)
    falls = drawdowns(closes, facts.capital)
    found = {
        "calmar": _over(cagr, facts.curve.deepest),
        "max_drawdown": facts.curve.deepest,
        "max_drawdown_days": float(longest_spell(closes, facts.capital)),
        "recovery_days": (
            NAN if spell is None or spell.recovery is None else float(spell.recovery - spell.trough)
        ),
        "ulcer": float(np.sqrt(np.mean(falls**2))) if len(falls) else NAN,
        "sharpe": sharpe_ratio(returns),
    }
    return found | _spread_of(returns) | _tails(returns)


def _spread_of(returns: Floats) -> dict[str, float]:
    if len(returns) < 2:
        return dict.fromkeys(("volatility_annual", "sharpe_error", "sortino", "omega"), NAN)
    root = math.sqrt(DAYS_A_YEAR)
    mean, deviation = float(returns.mean()), float(returns.std(ddof=1))
    downside = float(np.sqrt(np.mean(np.minimum(returns, 0.0) ** 2)))
    losses = float(-np.minimum(returns, 0.0).sum())
    third, fourth = _moments(returns)
    per_day = mean / deviation if deviation > _FLAT else NAN
    variance = (1.0 - third * per_day + (fourth - 1.0) / 4.0 * per_day**2) / (len(returns) - 1)
    return {
        "volatility_annual": deviation * root,
        "sharpe_error": math.sqrt(variance) * root if variance >= 0 else NAN,
        "sortino": mean * root / downside if downside > _FLAT else NAN,
        "omega": _over(float(np.maximum(returns, 0.0).sum()), losses),
    }


def _moments(returns: Floats) -> tuple[float, float]:
    """Return skew and raw kurtosis."""
    centred = returns - returns.mean()
    second = float(np.mean(centred**2))
    if second <= _FLAT**2:
        return NAN, NAN
    return float(np.mean(centred**3)) / second**1.5, float(np.mean(centred**4)) / second**2


def _tails(returns: Floats) -> dict[str, float]:
    if len(returns) < 2:
        return dict.fromkeys(("var_95", "es_95", "tail_ratio", "skew", "kurtosis"), NAN)
    low, high = np.quantile(returns, [0.05, 0.95])
    worst = int(0.05 * (len(returns) - 1)) + 1
    third, fourth = _moments(returns)
    return {
        "var_95": -float(low),
        "es_95": -float(np.partition(returns, worst - 1)[:worst].mean()),
        "tail_ratio": _over(abs(float(high)), abs(float(low))),
        "skew": third,
        "kurtosis": fourth,
    }


def _trades(trips: RoundTrips) -> dict[str, float]:
    pnl, returns = trips.pnl, trips.returns
    wins, losses = pnl[pnl > 0], pnl[pnl < 0]
    hours = (trips.exit_ts_ms - trips.entry_ts_ms) / HOUR_MS
    avg_win, avg_loss = _mean(wins), _mean(losses)
    longs = float(np.count_nonzero(trips.direction > 0))
    return {
        "round_trips": float(len(trips)),
        "win_rate": _over(float(len(wins)), len(pnl)),
        "profit_factor": _over(float(wins.sum()), -float(losses.sum())),
        "expectancy": _mean(pnl),
        "expectancy_bps": 10_000 * _over(float(pnl.sum()), float(trips.entry_notional.sum())),
        "avg_win": avg_win,
        "avg_loss": avg_loss,
        "payoff_ratio": -_over(avg_win, avg_loss),
        "best_trade": _largest(pnl),
        "worst_trade": -_largest(-pnl),
        "best_trade_return": _largest(returns),
        "worst_trade_return": -_largest(-returns),
        "avg_hold_hours": _mean(hours),
        "max_hold_hours": _largest(hours),
        "longest_win_streak": float(_longest_run(pnl > 0)),
        "longest_loss_streak": float(_longest_run(pnl < 0)),
        "long_round_trips": longs,
        "short_round_trips": len(trips) - longs,
    }


def _longest_run(flags: NDArray[np.bool_]) -> int:
    breaks = np.flatnonzero(~np.concatenate(([False], flags, [False])))
    return int(np.diff(breaks).max() - 1)


def _activity(facts: Measured) -> dict[str, float]:
    traded = float(facts.fills.notional.sum())
    resting = float(facts.fills.notional[facts.fills.role == int(Role.MAKER)].sum())
    equity = _mean(facts.days.equity)
    curve = facts.curve
    return {
        "fills": float(len(facts.fills)),
        "maker_share": _over(resting, traded),
        "turnover_per_day": _over(_over(traded, equity), len(facts.days)),
        "exposure_share": _over(curve.exposed, curve.bars),
        "mean_exposure": curve.mean,
        "max_exposure": curve.highest,
    }


def _costs(facts: Measured, net_profit: float) -> dict[str, float]:
    fees = float(facts.fills.fee.sum())
    spread = float(facts.fills.spread_cost.sum())
    impact = float(facts.fills.impact_cost.sum())
    funding = facts.cash.total(EffectKind.FUNDING)
    liquidation = 0.0 - facts.cash.total(EffectKind.LIQUIDATION_FEE)
    total = fees - funding + spread + impact + liquidation
    before = net_profit + total
    return {
        "fees": fees,
        "funding": funding,
        "spread_cost": spread,
        "impact_cost": impact,
        "liquidation_fees": liquidation,
        "total_costs": total,
        "profit_before_costs": before,
        "cost_share": total / before if before > 0 else NAN,
        "cost_bps": 10_000 * _over(total, float(facts.fills.notional.sum())),
    }


def _against(facts: Measured, total_return: float) -> Mapping[str, float]:
    names = [item.name for item in DEFINITIONS if item.group == "benchmark"]
    line, ours = facts.benchmark, facts.days.returns
    if line is None or not len(line):
        return dict.fromkeys(names, NAN)
    theirs = np.diff(np.append(1.0, line)) / np.append(1.0, line[:-1])
    found = dict.fromkeys(names, NAN)
    found["benchmark_return"] = float(line[-1]) - 1.0
    found["excess_return"] = total_return - found["benchmark_return"]
    found["benchmark_sharpe"] = sharpe_ratio(theirs)
    found["benchmark_max_drawdown"] = float(drawdowns(line, 1.0).max())
    if len(ours) >= 2 and theirs.std() > _FLAT:
        together = np.cov(ours, theirs, ddof=1)
        found["beta"] = float(together[0, 1] / together[1, 1])
        found["alpha_annual"] = DAYS_A_YEAR * float(ours.mean() - found["beta"] * theirs.mean())
        found["correlation"] = _over(
            float(together[0, 1]), math.sqrt(together[0, 0] * together[1, 1])
        )
        found["information_ratio"] = sharpe_ratio(ours - theirs)
    return found
