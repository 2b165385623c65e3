"""How large positions are made, and the limits that hold whatever a strategy wants."""

from dataclasses import dataclass, field
from decimal import Decimal

__all__ = ["RiskSettings", "SizingSettings"]


@dataclass(frozen=True, slots=True)
class SizingSettings:
    """What a target of 1 means in money."""

    kind: str = field(
        default="fixed_fraction",
        metadata={
            "help": "what a full target is worth: all of equity × leverage, a fraction of equity, "
            "a fixed amount, a volatility target, or the Kelly fraction of past returns",
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
            "help": "loss of the UTC day, open profit included, after which nothing is opened; "
            "0 is no limit",
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
