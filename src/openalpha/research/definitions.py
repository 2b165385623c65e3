"""What every metric means: name, unit, words, formula; the list docs and reports read."""

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["DEFINITIONS", "Definition", "Group", "Unit", "definition", "metrics_page"]


class Group(StrEnum):
    """Which question a metric answers."""

    MONEY = "money"
    RISK = "risk"
    TRADES = "trades"
    ACTIVITY = "activity"
    COSTS = "costs"
    BENCHMARK = "benchmark"


class Unit(StrEnum):
    """How a value is to be read."""

    CURRENCY = "account currency"
    FRACTION = "fraction"
    RATIO = "ratio"
    COUNT = "count"
    DAYS = "days"
    HOURS = "hours"
    BPS = "bps"
    YEARS = "years"


@dataclass(frozen=True, slots=True)
class Definition:
    """One metric.

    `words` is a sentence for people, `formula` says how it is computed; r are UTC-daily simple
    returns, E equity, P the profits of round trips.
    """

    name: str
    unit: Unit
    group: Group
    words: str
    formula: str

    @property
    def label(self) -> str:
        """How reports call it."""
        return _LABELS.get(self.name, self.name.replace("_", " ").capitalize())


def _rows(group: Group, *rows: tuple[str, Unit, str, str]) -> tuple[Definition, ...]:
    return tuple(Definition(name, unit, group, words, how) for name, unit, words, how in rows)


_U = Unit

DEFINITIONS: tuple[Definition, ...] = (
    *_rows(
        Group.MONEY,
        ("final_equity", _U.CURRENCY, "Equity at the close of the last bar, open positions marked.",
         "E_n"),
        ("net_profit", _U.CURRENCY, "What the run earned after all costs.", "E_n − capital"),
        ("total_return", _U.FRACTION, "Net profit over the capital.", "E_n / capital − 1"),
        ("cagr", _U.FRACTION, "Yearly growth rate that leads from the capital to the final equity.",
         "(E_n / capital)^(1 / years) − 1; NaN below one day"),
        ("years", _U.YEARS, "Length of the run, from the first bar's open to the last close.",
         "span / 365 days"),
        ("mean_daily_return", _U.FRACTION, "Average return of a day.", "mean(r)"),
        ("best_day", _U.FRACTION, "Return of the best UTC day.", "max(r)"),
        ("worst_day", _U.FRACTION, "Return of the worst UTC day.", "min(r)"),
        ("best_month", _U.FRACTION, "Return of the best calendar month (UTC).",
         "max over months of Π(1 + r) − 1"),
        ("worst_month", _U.FRACTION, "Return of the worst calendar month (UTC).",
         "min over months of Π(1 + r) − 1"),
        ("positive_day_share", _U.FRACTION, "Share of days that gained.", "count(r > 0) / days"),
        ("positive_month_share", _U.FRACTION, "Share of calendar months that gained.",
         "count(month return > 0) / months"),
    ),
    *_rows(
        Group.RISK,
        ("volatility_annual", _U.FRACTION, "Standard deviation of a year's return.",
         "std(r, ddof 1) · √365"),
        ("sharpe", _U.RATIO, "Return for each unit of volatility, a year, no interest subtracted.",
         "mean(r) / std(r, ddof 1) · √365; NaN below two days or without movement"),
        ("sharpe_error", _U.RATIO, "Standard error of the Sharpe ratio: what luck alone moves.",
         "√((1 − g3·s + (g4 − 1)/4·s²) / (T − 1)) · √365, s = mean/std a day"),
        ("sortino", _U.RATIO, "Like the Sharpe ratio, counting only falls as risk.",
         "mean(r) · √365 / √mean(min(r, 0)²)"),
        ("calmar", _U.RATIO, "Yearly growth for each unit of the deepest drawdown.",
         "cagr / max_drawdown"),
        ("omega", _U.RATIO, "Gains of all days over losses of all days.",
         "Σ max(r, 0) / Σ max(−r, 0)"),
        ("max_drawdown", _U.FRACTION, "Deepest fall from a high, at bar closes, positive.",
         "max(1 − E / running maximum of E and capital)"),
        ("max_drawdown_days", _U.DAYS,
         "Longest time from a high until it was reached again or the run ended, in daily closes.",
         "longest stretch below a running maximum"),
        ("recovery_days", _U.DAYS,
         "Days from the low of the deepest drawdown (daily closes) to a new high; NaN: not yet.",
         "recovery − trough"),
        ("ulcer", _U.FRACTION, "Depth and length of drawdowns in one figure.",
         "√mean(drawdown²) of daily closes"),
        ("var_95", _U.FRACTION, "Loss of a day that 19 of 20 days stay above, positive.",
         "−5 % quantile of r"),
        ("es_95", _U.FRACTION, "Average loss of the worst days beyond that, positive.",
         "−mean of the ⌊0.05·(T − 1)⌋ + 1 worst r"),
        ("tail_ratio", _U.RATIO, "Size of good tails over size of bad tails.",
         "|95 % quantile of r| / |5 % quantile of r|"),
        ("skew", _U.RATIO, "Lopsidedness of daily returns; negative: rare large losses.",
         "m3 / m2^1.5"),
        ("kurtosis", _U.RATIO, "Weight of the tails of daily returns; a normal curve has 3.",
         "m4 / m2²"),
    ),
    *_rows(
        Group.TRADES,
        ("round_trips", _U.COUNT, "Positions entered and closed; one open at the end is none.",
         "count"),
        ("win_rate", _U.FRACTION, "Share of round trips that gained.", "count(P > 0) / count"),
        ("profit_factor", _U.RATIO, "Profits of winners over losses of losers; NaN: no losers.",
         "Σ max(P, 0) / Σ max(−P, 0)"),
        ("expectancy", _U.CURRENCY, "Average net profit of a round trip.", "mean(P)"),
        ("expectancy_bps", _U.BPS, "Average net profit of a round trip over the value entered.",
         "10,000 · ΣP / Σ entry value"),
        ("avg_win", _U.CURRENCY, "Average profit of the winners.", "mean(P where P > 0)"),
        ("avg_loss", _U.CURRENCY, "Average loss of the losers, negative.", "mean(P where P < 0)"),
        ("payoff_ratio", _U.RATIO, "Average win over average loss.", "avg_win / −avg_loss"),
        ("best_trade", _U.CURRENCY, "Largest profit of one round trip.", "max(P)"),
        ("worst_trade", _U.CURRENCY, "Largest loss of one round trip, negative.", "min(P)"),
        ("best_trade_return", _U.FRACTION, "Largest return of one round trip on the value entered.",
         "max(P / entry value)"),
        ("worst_trade_return", _U.FRACTION, "Worst return of one round trip on the value entered.",
         "min(P / entry value)"),
        ("avg_hold_hours", _U.HOURS, "Average time from entry to exit.", "mean(exit − entry)"),
        ("max_hold_hours", _U.HOURS, "Longest time from entry to exit.", "max(exit − entry)"),
        ("longest_win_streak", _U.COUNT, "Most winners in a row.", "longest run of P > 0"),
        ("longest_loss_streak", _U.COUNT, "Most losers in a row.", "longest run of P < 0"),
        ("long_round_trips", _U.COUNT, "Round trips on the long side.", "count(direction > 0)"),
        ("short_round_trips", _U.COUNT, "Round trips on the short side.", "count(direction < 0)"),
    ),
    *_rows(
        Group.ACTIVITY,
        ("fills", _U.COUNT, "Executions.", "count"),
        ("maker_share", _U.FRACTION, "Share of the traded value that rested in the book.",
         "Σ maker notional / Σ notional"),
        ("turnover_per_day", _U.RATIO, "Traded value over mean equity, a day.",
         "Σ notional / mean daily equity / days"),
        ("exposure_share", _U.FRACTION, "Share of bars that closed with a position.",
         "count(exposure > 0) / bars"),
        ("mean_exposure", _U.RATIO, "Average gross exposure over equity (leverage used).",
         "mean(exposure)"),
        ("max_exposure", _U.RATIO, "Largest gross exposure over equity at a bar's close.",
         "max(exposure)"),
    ),
    *_rows(
        Group.COSTS,
        ("fees", _U.CURRENCY, "Fees paid to the venue; negative: rebates won.", "Σ fee"),
        ("funding", _U.CURRENCY, "Funding received less paid; negative: paid.", "Σ funding"),
        ("spread_cost", _U.CURRENCY, "What crossing the spread cost, inside the fill prices.",
         "Σ qty · half spread"),
        ("impact_cost", _U.CURRENCY, "What our own size moved the price, inside the fill prices.",
         "Σ qty · impact"),
        ("liquidation_fees", _U.CURRENCY, "Fees of forced liquidations.", "Σ liquidation fee"),
        ("total_costs", _U.CURRENCY, "All of the above, positive when paid.",
         "fees − funding + spread + impact + liquidation"),
        ("profit_before_costs", _U.CURRENCY, "What the run would have earned at no cost.",
         "net_profit + total_costs"),
        ("cost_share", _U.FRACTION, "Part of the profit before costs they took; NaN: no profit.",
         "total_costs / profit_before_costs"),
        ("cost_bps", _U.BPS, "Costs over the traded value.", "10,000 · total_costs / Σ notional"),
    ),
    *_rows(
        Group.BENCHMARK,
        ("benchmark_return", _U.FRACTION, "Buying at the first open and holding, before costs.",
         "mean over instruments of last close / first open − 1"),
        ("excess_return", _U.FRACTION, "Total return less the benchmark's.",
         "total_return − benchmark_return"),
        ("benchmark_sharpe", _U.RATIO, "The benchmark's Sharpe ratio.", "as sharpe"),
        ("benchmark_max_drawdown", _U.FRACTION, "The benchmark's deepest drawdown, daily closes.",
         "as max_drawdown, of days"),
        ("beta", _U.RATIO, "How much a day's benchmark return moved ours.", "cov(r, b) / var(b)"),
        ("alpha_annual", _U.FRACTION, "Yearly return not explained by the benchmark.",
         "365 · (mean(r) − beta · mean(b))"),
        ("correlation", _U.RATIO, "Correlation with the benchmark's daily returns.", "corr(r, b)"),
        ("information_ratio", _U.RATIO, "Excess daily return over its own volatility, a year.",
         "mean(r − b) / std(r − b, ddof 1) · √365"),
    ),
)  # fmt: skip
"""All metrics in the order reports show them."""

_LABELS = {
    "cagr": "Growth a year (CAGR)",
    "var_95": "Value at risk, 95 %",
    "es_95": "Expected shortfall, 95 %",
    "volatility_annual": "Volatility a year",
    "alpha_annual": "Alpha a year",
    "sharpe": "Sharpe ratio",
    "sharpe_error": "Sharpe, standard error",
    "sortino": "Sortino ratio",
    "calmar": "Calmar ratio",
    "omega": "Omega ratio",
    "ulcer": "Ulcer index",
    "max_drawdown_days": "Longest drawdown, days",
    "recovery_days": "Recovery, days",
    "avg_hold_hours": "Average hold",
    "max_hold_hours": "Longest hold",
    "expectancy_bps": "Expectancy on value",
    "cost_bps": "Costs on value",
    "avg_win": "Average win",
    "avg_loss": "Average loss",
    "max_drawdown": "Deepest drawdown",
    "max_exposure": "Highest exposure",
    "benchmark_max_drawdown": "Benchmark deepest drawdown",
    "positive_day_share": "Positive days",
    "positive_month_share": "Positive months",
    "exposure_share": "Time with a position",
    "turnover_per_day": "Turnover a day",
}

_BY_NAME = {item.name: item for item in DEFINITIONS}


def definition(name: str) -> Definition:
    """Return the definition of one metric.

    Raises
    ------
    KeyError
        If there is none of that name: a bug in the caller.

    Examples
    --------
    >>> definition("sharpe").unit.value
    'ratio'
    """
    return _BY_NAME[name]


_PAGE_HEAD = """# Metrics

Every figure of a result, under the name it has in `result.metrics`, in the JSON document and in
`metrics.csv`. A figure that is not defined for a run (no trade, one day, no movement) is NaN in
Python and `null` in JSON, never zero.

- *r* are simple returns of UTC days: the equity at a day's last bar close over the day before's;
  the first day's is against the capital, so that all of them multiply to final equity / capital.
  A day without bars has a return of 0. A year has 365 days, standard deviations use ddof 1.
- *E* is the equity at bar closes, open positions marked. Drawdowns are positive.
- *P* are net profits of round trips: price result less fees plus funding.
- Spread and impact are inside the fill prices; the cost figures take them out again.
- Signs: + is received or gained, − is paid or lost. Costs are positive when paid; funding is
  received less paid.

Agreement with empyrical-reloaded is part of the tests: Sharpe, Sortino, Calmar, volatility, CAGR,
omega, tail ratio, beta and total return are equal; maximum drawdown, value at risk and expected
shortfall have the opposite sign there.
"""


def metrics_page() -> str:
    """Return the manual's page of all metrics, made from the definitions."""
    parts = [_PAGE_HEAD]
    for group in Group:
        parts.append(f"\n## {group.value.capitalize()}\n\n")
        parts.append("| Name | Unit | Meaning | Formula |\n|---|---|---|---|\n")
        parts += [
            f"| `{item.name}` | {item.unit.value} | {item.words} | {_cell(item.formula)} |\n"
            for item in DEFINITIONS
            if item.group is group
        ]
    return "".join(parts)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
