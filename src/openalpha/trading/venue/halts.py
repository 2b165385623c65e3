"""Instruments a venue no longer trades, or soon will not: no entries, and out in time.

While one is halted nothing new is opened in it; what closes a position goes on being tried. One
that is to be delisted is closed a day before: after that the exchange settles it at its own price.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from openalpha.core.clock import DAY_MS, format_ms

__all__ = ["Halts"]

_TRADED = "Trading"


@dataclass(frozen=True, slots=True)
class _Standing:
    status: str
    delivery_ms: int

    @property
    def is_normal(self) -> bool:
        return self.status == _TRADED and not self.delivery_ms


class Halts:
    """What a venue says of a run's instruments that are not simply traded."""

    def __init__(self) -> None:
        self._known: dict[str, _Standing] = {}

    def hear(self, content: Mapping[str, Any]) -> str:
        """Take in a HEALTH input of an instrument; return what a person should hear, if anything.

        Examples
        --------
        >>> Halts().hear({"id": "x:A", "status": "Closed", "delivery_ms": 0})
        'x:A is Closed at the exchange: nothing is opened in it; a position is settled there'
        """
        name = str(content["id"])
        now = _Standing(str(content["status"]), int(content.get("delivery_ms", 0)))
        before = self._known.pop(name, _Standing(_TRADED, 0))
        if not now.is_normal:
            self._known[name] = now
        if now == before:
            return ""
        if now.is_normal:
            return f"{name} is traded again"
        if now.status == _TRADED:
            return (
                f"{name} is delisted at {format_ms(now.delivery_ms)}: nothing is opened in it, a "
                "position is closed a day before"
            )
        return (
            f"{name} is {now.status} at the exchange: nothing is opened in it; a position is "
            "settled there"
            if now.status in ("Closed", "Delivering")
            else f"{name} is {now.status} at the exchange: nothing is opened in it until it is "
            "traded again; stops stand there"
        )

    def is_halted(self, instrument: str) -> bool:
        """Say whether nothing may be opened in an instrument."""
        return instrument in self._known

    def must_close(self, instrument: str, now_ms: int) -> bool:
        """Say whether what is held of an instrument should be closed while it can be."""
        known = self._known.get(instrument)
        return (
            known is not None and known.status == _TRADED and now_ms >= known.delivery_ms - DAY_MS
        )

    def state(self) -> dict[str, list[Any]]:
        """Return what is known, as JSON can hold it."""
        return {name: [one.status, one.delivery_ms] for name, one in self._known.items()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up what `state` returned."""
        self._known = {name: _Standing(row[0], row[1]) for name, row in state.items()}
