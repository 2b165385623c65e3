"""What a proof found: one finding a fault, each with its bar, its column and a sentence."""

from dataclasses import dataclass
from enum import StrEnum

from openalpha.core.errors import LookAheadError

__all__ = ["Finding", "FindingKind", "ProofResult"]


class FindingKind(StrEnum):
    """What is wrong with a strategy."""

    LOOK_AHEAD = "look_ahead"
    WARM_UP = "warm_up"
    NOT_PURE = "not_pure"
    FAILS = "fails"


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault.

    Attributes
    ----------
    kind : FindingKind
    instrument : str
        Key of the bars whose target is wrong.
    ts_ms : int
        Open stamp of the first bar found wrong, UTC ms.
    column : str
        The column it reads from the future; empty where no single one is to blame.
    words : str
        What is wrong and what to do, one sentence.
    """

    kind: FindingKind
    instrument: str
    ts_ms: int
    column: str
    words: str


@dataclass(frozen=True, slots=True)
class ProofResult:
    """The outcome of a proof.

    Attributes
    ----------
    strategy : str
        Its name.
    findings : tuple of Finding
        Empty for an honest strategy.
    evaluations : int
        How often the strategy was computed; 0 where the result came from the cache.
    is_cached : bool
        Whether it did.
    """

    strategy: str
    findings: tuple[Finding, ...] = ()
    evaluations: int = 0
    is_cached: bool = False

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    def raise_if_found(self) -> None:
        """Refuse the run.

        Raises
        ------
        LookAheadError
            If anything was found; the message holds every finding's sentence.
        """
        if self.findings:
            sentences = "; ".join(finding.words for finding in self.findings)
            raise LookAheadError(f"strategy {self.strategy} cannot be trusted: {sentences}")
