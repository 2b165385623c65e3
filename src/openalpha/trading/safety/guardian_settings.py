"""When the guardian steps in. Imports nothing heavy: the guardian must stay small."""

from dataclasses import dataclass, field
from decimal import Decimal

__all__ = ["GuardianSettings"]


@dataclass(frozen=True, slots=True)
class GuardianSettings:
    """What the guardian waits for and what it does then."""

    silent_cancel_ms: int = field(
        default=30_000,
        metadata={
            "help": "silence of the trader after which entries are cancelled and every position "
            "gets a stop; 0 is never",
            "unit": "ms",
            "min": 0,
        },
    )
    silent_flatten_ms: int = field(
        default=600_000,
        metadata={
            "help": "silence of the trader after which everything is closed and locked; 0 is never",
            "unit": "ms",
            "min": 0,
        },
    )
    poll_ms: int = field(
        default=3_000,
        metadata={"help": "how often it looks", "unit": "ms", "min": 50, "max": 60_000},
    )
    max_drawdown: Decimal = field(
        default=Decimal("0.15"),
        metadata={
            "help": "fall from the highest equity it saw after which everything is closed; 0 means "
            "the most there is",
            "unit": "fraction",
            "min": 0,
            "max": Decimal("0.15"),
        },
    )
