"""Settings of how the exchange is spoken to."""

from dataclasses import dataclass, field

__all__ = ["ExchangeSettings"]


@dataclass(frozen=True, slots=True)
class ExchangeSettings:
    """Which servers are taken for the exchange."""

    stand_in: bool = field(
        default=False,
        metadata={
            "help": "whether a server on this machine (a twin) may stand in for demo, testnet or "
            "live, to rehearse them",
        },
    )
