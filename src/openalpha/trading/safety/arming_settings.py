"""What arming live trading asks for."""

from dataclasses import dataclass, field

__all__ = ["ArmingSettings"]


@dataclass(frozen=True, slots=True)
class ArmingSettings:
    """Who must agree before live trading, and for how long."""

    persons: int = field(
        default=1,
        metadata={
            "help": "how many enrolled persons must give a code",
            "unit": "persons",
            "min": 1,
            "max": 2,
        },
    )
    longest_hours: int = field(
        default=168,
        metadata={
            "help": "longest time an arming lasts",
            "unit": "hours",
            "min": 1,
            "max": 744,
        },
    )
