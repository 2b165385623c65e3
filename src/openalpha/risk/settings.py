"""How large positions are made, and the limits that hold whatever a strategy wants."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

__all__ = ["BreakerSettings", "LimitSettings", "RiskSettings", "SizingSettings"]


@dataclass(frozen=True, slots=True)
class SizingSettings:
    """What a target of 1 means in money."""

    kind: str = field(
        default="fixed_fraction",
        metadata={
            "help": "what a full target is worth: all of equity × leverage, a fraction of equity, "
            "a fixed amount, a volatility target, or a Kelly share of past returns, shrunk by its "
            "uncertainty and cut to a one in ten chance of losing 15 %",
            "choices": ("all_in", "fixed_fraction", "fixed_amount", "vol_target", "kelly"),
        },
    )
    fraction: Decimal = field(
        default=Decimal("0.10"),
        metadata={
            "help": "fixed_fraction: share of equity; kelly: largest share",
            "unit": "fraction",
            "min": 0,
            "max": 100,
        },
    )
    amount: Decimal = field(
        default=Decimal(1000),
        metadata={
            "help": "fixed_amount: value of a full position",
            "unit": "account currency",
            "min": 0,
        },
    )
    target_volatility: Decimal = field(
        default=Decimal("0.20"),
        metadata={"help": "vol_target: yearly volatility wanted", "unit": "fraction", "min": 0},
    )
    lookback_days: int = field(
        default=30,
        metadata={
            "help": "vol_target and kelly: days of past returns used",
            "unit": "days",
            "min": 2,
        },
    )
    reserve_bps: Decimal = field(
        default=Decimal(20),
        metadata={
            "help": "held back for fee and gap when sizing",
            "unit": "bps",
            "min": 0,
            "max": 5000,
        },
    )
    rebalance: str = field(
        default="on_change",
        metadata={
            "help": "trade when the target changes, at every bar, or when outside a band",
            "choices": ("on_change", "every_bar", "band"),
        },
    )
    band: Decimal = field(
        default=Decimal("0.1"),
        metadata={
            "help": "band: distance from the wanted size that is left alone",
            "unit": "fraction",
            "min": 0,
        },
    )


@dataclass(frozen=True, slots=True)
class RiskSettings:
    """Limits of an account. `live` is forced wherever results count as evidence."""

    profile: str = field(
        default="none",
        metadata={
            "help": "none: only what the strategy and the venue allow; live: the limits below",
            "choices": ("none", "live"),
        },
    )
    max_position: Decimal = field(
        default=Decimal("0.10"),
        metadata={
            "help": "largest position as a share of equity; 0 is no limit",
            "unit": "fraction",
            "min": 0,
            "max": Decimal("0.3"),
        },
    )
    min_order: Decimal = field(
        default=Decimal(10),
        metadata={"help": "smallest opening order", "unit": "account currency", "min": 0},
    )
    max_order: Decimal = field(
        default=Decimal(10_000),
        metadata={
            "help": "largest opening order; 0 is no limit",
            "unit": "account currency",
            "min": 0,
        },
    )
    max_trades_per_day: int = field(
        default=50,
        metadata={"help": "opening orders a UTC day; 0 is no limit", "unit": "orders", "min": 0},
    )
    daily_loss: Decimal = field(
        default=Decimal("0.05"),
        metadata={
            "help": "loss of the UTC day, open profit included, after which nothing is opened "
            "until the day ends; 0 is no limit",
            "unit": "fraction",
            "min": 0,
            "max": 1,
        },
    )
    max_drawdown: Decimal = field(
        default=Decimal("0.15"),
        metadata={
            "help": "fall from the highest equity after which positions are closed for good; "
            "0 is no limit",
            "unit": "fraction",
            "min": 0,
            "max": 1,
        },
    )
    stop: Decimal = field(
        default=Decimal("0.03"),
        metadata={
            "help": "stop every entry carries, unless the strategy's is nearer; 0 is none",
            "unit": "fraction",
            "min": 0,
            "max": Decimal("0.1"),
        },
    )


def _share(words: str, *, most: str | int = 1) -> dict[str, Any]:
    """Describe a setting that is a share of something."""
    return {"help": words, "unit": "fraction", "min": 0, "max": Decimal(most)}


def _count(words: str, unit: str) -> dict[str, Any]:
    """Describe a setting that is a whole number, 0 being off."""
    return {"help": f"{words}; 0 is off", "unit": unit, "min": 0}


@dataclass(frozen=True, slots=True)
class LimitSettings:
    """Limits of trading that a backtest does not know; those of `risk` hold beside them."""

    risk_per_trade: Decimal = field(
        default=Decimal("0.02"),
        metadata=_share("what an opening order may lose down to its stop, of equity", most="0.02"),
    )
    max_strategy: Decimal = field(
        default=Decimal("0.30"),
        metadata=_share(
            "largest sum of one strategy's positions, of equity; 0 is no limit", most=100
        ),
    )
    strategy_stop: Decimal = field(
        default=Decimal("0.10"),
        metadata=_share("loss of its capital after which a strategy opens nothing; 0 is no limit"),
    )
    cash_reserve: Decimal = field(
        default=Decimal("0.10"),
        metadata=_share("equity that stays free of margin whatever is opened; 0 is none"),
    )
    max_leverage: Decimal = field(
        default=Decimal(3),
        metadata={
            "help": "largest sum of all positions as a multiple of equity; 0 is no limit",
            "unit": "times equity",
            "min": 0,
            "max": 100,
        },
    )
    max_price_age_ms: int = field(
        default=180_000,
        metadata=_count("age of a market's newest data beyond which nothing is opened there", "ms"),
    )


@dataclass(frozen=True, slots=True)
class BreakerSettings:
    """When trading steps down from active to reducing, halted or flat, and when it resumes."""

    loss_streak: int = field(
        default=8, metadata=_count("round trips lost in a row that stop the day", "round trips")
    )
    volatility: Decimal = field(
        default=Decimal(6),
        metadata={
            "help": "a bar's range as a multiple of the usual that stops openings; 0 is off",
            "unit": "times the usual",
            "min": 0,
        },
    )
    spread_bps: Decimal = field(
        default=Decimal(50),
        metadata={"help": "spread that stops openings; 0 is off", "unit": "bps", "min": 0},
    )
    data_age_ms: int = field(
        default=180_000, metadata=_count("age of the feed that stops openings", "ms")
    )
    error_share: Decimal = field(
        default=Decimal("0.3"), metadata=_share("failed requests that stop openings; 0 is off")
    )
    reject_share: Decimal = field(
        default=Decimal("0.3"), metadata=_share("rejected orders that stop openings; 0 is off")
    )
    window_ms: int = field(
        default=300_000, metadata=_count("time over which failures are counted", "ms")
    )
    least_count: int = field(
        default=10, metadata=_count("requests or orders below which no share is judged", "count")
    )
    clock_skew_ms: int = field(
        default=1_000, metadata=_count("distance of the clocks that stops openings", "ms")
    )
    liquidation_distance: Decimal = field(
        default=Decimal("0.10"),
        metadata=_share("distance of the price from a liquidation that stops openings; 0 is off"),
    )
    liquidation_flatten: Decimal = field(
        default=Decimal("0.03"),
        metadata=_share(
            "distance of the price from a liquidation that closes everything; 0 is off"
        ),
    )
    rate_left: Decimal = field(
        default=Decimal("0.10"), metadata=_share("rate limit left that stops openings; 0 is off")
    )
    guardian_silent_ms: int = field(
        default=30_000, metadata=_count("silence of the guardian that stops openings", "ms")
    )
    calm_ms: int = field(
        default=60_000,
        metadata=_count("time a breaker's cause must be gone before it resumes", "ms"),
    )
    most_trips_a_day: int = field(
        default=12, metadata=_count("trips in a UTC day after which only a person resumes", "trips")
    )
