"""Settings of live runs."""

from dataclasses import dataclass, field

__all__ = ["FeedSettings", "PaperSettings"]


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
            "help": "what the simulated venue steps on: closed bars, which equals a backtest of "
            "them exactly",
            "choices": ("bars",),
        },
    )
