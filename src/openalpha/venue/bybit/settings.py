"""Settings of how the exchange is spoken to."""

from dataclasses import dataclass, field

from pydantic import SecretStr

__all__ = ["ExchangeSettings"]


@dataclass(frozen=True, slots=True)
class ExchangeSettings:
    """Which servers are taken for the exchange, and where its rate budget is counted."""

    stand_in: bool = field(
        default=False,
        metadata={
            "help": "whether a server on this machine (a twin) may stand in for demo, testnet or "
            "live, to rehearse them",
        },
    )
    order_line: str = field(
        default="socket",
        metadata={
            "help": "how a run sends its orders: over the trade socket, and by calls while that "
            "is down, busy or not offered (demo has none), or by calls alone",
            "choices": ("socket", "rest"),
        },
    )
    redis_url: SecretStr = field(
        default=SecretStr(""),
        metadata={
            "help": "Redis server that keeps the rate budget where several homes or machines share "
            "one address; empty: files in the home",
        },
    )
