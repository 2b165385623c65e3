"""What to believe of a run: checks with numbers, and one sentence in front.

A verdict never calls a result good. It says what speaks against it, and what is missing.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from openalpha.research.checks import CHECKS
from openalpha.research.circumstances import Check, Circumstances, Severity
from openalpha.research.wording import percent, plural

__all__ = ["Check", "Circumstances", "Severity", "Verdict", "judge"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of all checks.

    Parameters
    ----------
    headline : str
        What happened, one sentence with numbers.
    opinion : str
        What to believe of it, one sentence.
    checks : tuple of Check
        Heaviest first; empty when nothing spoke up.
    """

    headline: str
    opinion: str
    checks: tuple[Check, ...]

    @property
    def severity(self) -> Severity:
        """The weight of the heaviest check."""
        return max((check.severity for check in self.checks), default=Severity.NOTE)

    @property
    def label(self) -> str:
        """The opinion in one or two words, for tables."""
        return _LABELS[self.opinion]

    def codes(self) -> tuple[str, ...]:
        """Return the codes of all checks."""
        return tuple(check.code for check in self.checks)


def judge(metrics: Mapping[str, float], facts: Circumstances) -> Verdict:
    """Run every check.

    Parameters
    ----------
    metrics : mapping of str to float
        As computed by `metrics.compute`.
    facts : Circumstances

    Returns
    -------
    Verdict
    """
    found = [check for ask in CHECKS for check in ask(metrics, facts)]
    found.sort(key=lambda check: -check.severity)
    checks = tuple(found)
    return Verdict(_headline(metrics, facts), _opinion(metrics, checks), checks)


def _headline(metrics: Mapping[str, float], facts: Circumstances) -> str:
    total = metrics["total_return"]
    days = metrics["years"] * 365
    verb = "lost" if total < 0 else "gained" if total > 0 else "made"
    amount = percent(abs(total)) if total else "nothing"
    text = f"{facts.strategy} {verb} {amount} in {plural(round(days), 'day')} after all costs"
    if math.isfinite(metrics["benchmark_return"]):
        text += f"; buying and holding made {percent(metrics['benchmark_return'], signed=True)}"
    return text + "."


_NO_TRADE = "It never traded, so there is nothing to judge."
_LOST_AT_ONCE = "It lost on this history even before its costs."
_LOST = "It did not earn its costs on this history."
_RESERVED = "It earned on this history, with reservations; that is not yet evidence of an edge."
_SILENT = "Nothing speaks against it here; that is a start, not proof. Test it out of sample."
_ALARMED = "Do not believe this result yet: it raised an alarm."

_LABELS = {
    _NO_TRADE: "no trade",
    _LOST_AT_ONCE: "lost",
    _LOST: "lost",
    _RESERVED: "reservations",
    _SILENT: "no objection",
    _ALARMED: "not credible",
}


def _opinion(metrics: Mapping[str, float], checks: tuple[Check, ...]) -> str:
    heaviest = checks[0].severity if checks else Severity.NOTE
    if metrics["fills"] == 0:
        return _NO_TRADE
    if metrics["total_return"] <= 0:
        return _LOST_AT_ONCE if metrics["profit_before_costs"] <= 0 else _LOST
    if heaviest is Severity.ALARM:
        return _ALARMED
    return _RESERVED if heaviest is Severity.CAUTION else _SILENT
