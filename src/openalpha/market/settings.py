"""The settings group `data`: how history is read from the lake and looked after."""

from dataclasses import dataclass, field

from openalpha.core.clock import parse_timeframe
from openalpha.core.errors import ConfigError, InputError

__all__ = ["DataSettings"]


@dataclass(frozen=True, slots=True)
class DataSettings:
    """How history is read from the lake."""

    max_gap: str = field(
        default="1d",
        metadata={
            "help": "a gap in the bars longer than this splits a series; a run uses the latest part"
        },
    )
    allow_unusable: bool = field(
        default=False,
        metadata={"help": "run also on ranges that `openalpha data check` found unusable"},
    )
    spike_factor: float = field(
        default=25.0,
        metadata={
            "help": "a bar that jumps this many typical ranges and returns at once is a spike",
            "unit": "factor",
            "min": 5.0,
            "max": 10_000.0,
        },
    )
    stale_after: str = field(
        default="2d",
        metadata={"help": "a series that ends this long before the others of its venue is stale"},
    )

    def __post_init__(self) -> None:
        for name in ("max_gap", "stale_after"):
            try:
                parse_timeframe(getattr(self, name))
            except InputError as error:
                raise ConfigError(f"data.{name}: {error.message}") from None

    @property
    def max_gap_ms(self) -> int:
        """Return `max_gap` in milliseconds."""
        return parse_timeframe(self.max_gap)

    @property
    def stale_after_ms(self) -> int:
        """Return `stale_after` in milliseconds."""
        return parse_timeframe(self.stale_after)
