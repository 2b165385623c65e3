"""Settings of live runs."""

from dataclasses import dataclass, field

__all__ = ["PaperSettings"]


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
