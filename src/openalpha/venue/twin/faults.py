"""Faults to order: what can go wrong between a client and a venue, seeded and written down.

A rule names a fault, what it strikes and how often. Rules are asked in the order they were made;
the first that strikes decides. Every strike is logged, and the same seed strikes the same way
again.
"""

import random
from dataclasses import dataclass, field
from typing import Any

from openalpha.venue.twin.codes import Refused
from openalpha.venue.twin.wire import Params

__all__ = ["KINDS", "ORDER_KINDS", "PUSH_KINDS", "REQUEST_KINDS", "Faults", "Rule"]

REQUEST_KINDS = (
    "drop_before",
    "drop_after",
    "delay",
    "duplicate",
    "truncate",
    "http_500",
    "rate_limited",
    "busy_before",
    "busy_after",
    "stale_time",
)
ORDER_KINDS = ("reorder",)
PUSH_KINDS = ("miss_push", "duplicate_push", "delay_push", "reverse_push")
KINDS = REQUEST_KINDS + ORDER_KINDS + PUSH_KINDS
KEPT = 10_000


@dataclass(slots=True)
class Rule:
    """One fault: its kind, what it strikes, how likely and how often at most.

    `match` is the beginning of a request's path (`/v5/order`), a trade operation (`order.create`)
    or a private topic (`execution`); empty strikes all. `size_ms` is a delay or a stamp's age.
    """

    number: int
    kind: str
    match: str = ""
    uid: str = ""
    probability: float = 1.0
    left: int = -1
    size_ms: int = 0

    def shown(self) -> dict[str, Any]:
        """Return the rule as the twin's own addresses show it."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(slots=True)
class Faults:
    """The rules in force, their random numbers and the log of their strikes."""

    seed: int = 0
    rules: list[Rule] = field(default_factory=list)
    log: list[dict[str, Any]] = field(default_factory=list)
    _random: random.Random = field(default_factory=lambda: random.Random(0))
    _count: int = 0

    def reseed(self, seed: int) -> None:
        """Begin the random numbers anew."""
        self.seed = seed
        self._random = random.Random(seed)

    def add(self, params: Params) -> Rule:
        """Make a rule from what POST /twin/faults carries.

        Raises
        ------
        Refused
            If a field is not what it should be; names the kinds there are.
        """
        kind = str(params.get("kind"))
        if kind not in KINDS:
            raise Refused(10001, f"kind was '{kind}', expected one of {', '.join(KINDS)}")
        try:
            self._count += 1
            rule = Rule(
                self._count,
                kind,
                str(params.get("match") or ""),
                str(params.get("uid") or ""),
                float(params.get("probability", 1.0)),
                int(params.get("count", -1)),
                int(params.get("size_ms", 1_000)),
            )
        except (TypeError, ValueError):
            raise Refused(10001, "probability, count and size_ms are numbers") from None
        if not 0 <= rule.probability <= 1:
            raise Refused(10001, f"probability was {rule.probability}, expected 0 to 1")
        self.rules.append(rule)
        return rule

    def clear(self) -> None:
        """Take all rules away; the log stays."""
        self.rules.clear()

    def strike(self, kinds: tuple[str, ...], what: str, *, uid: str, ts_ms: int) -> Rule | None:
        """Return the rule that strikes, after counting and logging it.

        Parameters
        ----------
        kinds : tuple of str
            The faults that could strike here.
        what : str
            Path, operation or topic.
        """
        if not self.rules:
            return None
        for rule in self.rules:
            if rule.kind not in kinds or rule.left == 0 or not what.startswith(rule.match):
                continue
            if rule.uid and rule.uid != uid:
                continue
            if rule.probability < 1.0 and self._random.random() >= rule.probability:
                continue
            rule.left -= 1 if rule.left > 0 else 0
            self.note(rule.kind, what, uid=uid, ts_ms=ts_ms)
            return rule
        return None

    def note(self, kind: str, what: str, *, uid: str, ts_ms: int) -> None:
        """Write a strike down."""
        self.log.append({"ts_ms": ts_ms, "kind": kind, "what": what, "uid": uid})
        del self.log[:-KEPT]
