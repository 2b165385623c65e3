"""Settings of live runs."""

from dataclasses import dataclass, field
from decimal import Decimal

from openalpha.trading.run.allocation import AllocationSettings

__all__ = ["ExecutionSettings", "FeedSettings", "Handling", "PaperSettings", "TradingSettings"]


@dataclass(frozen=True, slots=True)
class TradingSettings:
    """How far an installation goes."""

    mode: str = field(
        default="live_trade",
        metadata={
            "help": "how far this installation goes: it shows what is kept, tests on history "
            "too, trades without real money too, or trades live once that is armed",
            "choices": ("dashboard_only", "backtest_only", "paper_trade", "live_trade"),
        },
    )


@dataclass(frozen=True, slots=True)
class FeedSettings:
    """How a live market is listened to."""

    bar_timeout_ms: int = field(
        default=2_000,
        metadata={
            "help": "how long after its close a bar that was not pushed is waited for before it "
            "is asked for",
            "unit": "ms",
            "min": 0,
            "max": 60_000,
        },
    )
    record: str = field(
        default="bars",
        metadata={
            "help": "what of a live market is kept in the lake: nothing, the bars a run sees, "
            "public trades too, or the order book too",
            "choices": ("none", "bars", "trades", "book"),
        },
    )
    server: str = field(
        default="",
        metadata={
            "help": "server whose public prices paper trading follows; empty: Bybit's own",
        },
    )


@dataclass(frozen=True, slots=True)
class PaperSettings:
    """How paper trading fills orders."""

    feed: str = field(
        default="bars",
        metadata={
            "help": "what the simulated venue steps on: closed bars, every trade, or trades and "
            "the order book (both for event strategies); it equals a backtest of the same exactly",
            "choices": ("bars", "trades", "book"),
        },
    )


@dataclass(frozen=True, slots=True)
class ExecutionSettings:
    """How a strategy's entries are placed at a venue."""

    algorithm: str = field(
        default="none",
        metadata={
            "help": "how a strategy's entries are worked at a venue: whole at once, in even pieces "
            "(twap), along the usual volume of the day (vwap), a piece shown at a time (iceberg) "
            "or resting at the best price (chase); exits are never worked",
            "choices": ("none", "twap", "vwap", "iceberg", "chase"),
        },
    )
    minutes: int = field(
        default=30,
        metadata={
            "help": "over how long an entry is worked at most",
            "unit": "minutes",
            "min": 1,
            "max": 1440,
        },
    )
    pieces: int = field(
        default=10,
        metadata={
            "help": "twap and vwap: in how many pieces; iceberg: one of so many is shown",
            "unit": "pieces",
            "min": 1,
            "max": 500,
        },
    )
    limit_bps: Decimal = field(
        default=Decimal(20),
        metadata={
            "help": "iceberg and chase: how far beyond the deciding close an entry may pay",
            "unit": "bps",
            "min": 0,
            "max": 1000,
        },
    )
    curve_days: int = field(
        default=20,
        metadata={
            "help": "vwap: days of bars in the lake that the usual volume of the day is taken from",
            "unit": "days",
            "min": 1,
            "max": 365,
        },
    )


@dataclass(frozen=True, slots=True)
class Handling:
    """How a run keeps its strategies' money apart, and how it places their entries."""

    allocation: AllocationSettings = field(default_factory=AllocationSettings)
    execution: ExecutionSettings = field(default_factory=ExecutionSettings)
