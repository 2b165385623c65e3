"""When the guardian steps in. Imports nothing heavy: the guardian must stay small."""

from dataclasses import dataclass, field
from decimal import Decimal

from openalpha.core.errors import ConfigError

__all__ = ["GuardianSettings"]

_SHORTEST_DCP_S = 3


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
    dcp_window_s: int = field(
        default=0,
        metadata={
            "help": "the exchange itself cancels every order, stops too, once the trader's private "
            "socket has been dead so long (DCP; for accounts it is granted to); the guardian then "
            "acts at once; 0 is off",
            "unit": "s",
            "min": 0,
            "max": 300,
        },
    )
    dcp_act: str = field(
        default="stops",
        metadata={
            "help": "what the guardian does after DCP: put the stops back where they were, or "
            "close everything and lock",
            "choices": ("stops", "flatten"),
        },
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

    def __post_init__(self) -> None:
        if 0 < self.dcp_window_s < _SHORTEST_DCP_S:
            raise ConfigError(
                f"guardian.dcp_window_s was {self.dcp_window_s}, expected 0 (off) or "
                f"{_SHORTEST_DCP_S} to 300"
            )
