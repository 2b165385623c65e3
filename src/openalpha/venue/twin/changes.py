"""What one event of the venue did, gathered for those who tell the accounts."""

from dataclasses import dataclass, field
from typing import Any

from openalpha.core.reasons import Reason
from openalpha.venue.twin.orders import Order

__all__ = ["Changes"]


@dataclass(slots=True)
class Changes:
    """What one event did: orders touched, positions touched, executions made, wallets moved."""

    orders: dict[str, Order] = field(default_factory=dict)
    positions: dict[tuple[int, str, int], None] = field(default_factory=dict)
    executions: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    wallets: dict[int, None] = field(default_factory=dict)
    refused: dict[int, Reason] = field(default_factory=dict)
