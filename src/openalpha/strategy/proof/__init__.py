"""The look-ahead and warm-up proof every strategy passes before it is run.

It catches values read from the same or later bars, centred windows, shifts the wrong way,
statistics of the whole sample, longer bars seen before they close, and warm-ups that are too
short; it names the bar and the column. It is silent on delayed entries and on funding columns.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from openalpha.core.errors import InputError
from openalpha.strategy.bars import Bars
from openalpha.strategy.base import PortfolioStrategy, SignalStrategy, evaluate
from openalpha.strategy.events import EventStrategy, Strategy
from openalpha.strategy.params import StrategyParams
from openalpha.strategy.proof.cache import proof_key, recall, remember
from openalpha.strategy.proof.event import event_findings
from openalpha.strategy.proof.result import Finding, FindingKind, ProofResult
from openalpha.strategy.proof.signal import Suspect, look_ahead_findings, purity_findings
from openalpha.strategy.proof.warm_up import warm_up_findings
from openalpha.strategy.together import together

if TYPE_CHECKING:
    from openalpha.market.history import History

__all__ = ["Finding", "FindingKind", "ProofResult", "prove"]

# Cuts are drawn from this seed, so a proof of the same thing is the same proof.
_SEED = 20_240_101

# Beyond this many bars only the first and the last part are examined: the proof must not need
# more memory than the run.
_LONG_BARS = 4_000_000
_PART_BARS = 1_000_000


def prove(
    strategy: Strategy | type[Strategy],
    histories: "Mapping[str, History | Bars]",
    *,
    params: StrategyParams | None = None,
    cache: Path | None = None,
) -> ProofResult:
    """Examine a strategy on the bars it is about to run on.

    Parameters
    ----------
    strategy : object or class
        As `load_strategy` returns it, or an object (one that carries a model is never cached).
    histories : mapping of str to History or Bars
        By role or instrument id; a portfolio strategy is shown the stamps they share.
    params : StrategyParams, optional
        An instance of its `Params`; the defaults without it.
    cache : Path, optional
        Folder to remember proofs in; with the same source, parameters and histories nothing is
        computed again.

    Returns
    -------
    ProofResult
        `ok`, or findings that name bar, column and remedy.

    Raises
    ------
    InputError
        If there is no history, or the strategy's own code fails.
    DataError
        If it gives targets of the wrong length or out of range.

    Examples
    --------
    >>> from openalpha.strategy import load_strategy
    >>> from openalpha.strategy.specimen import specimen_bars
    >>> prove(load_strategy("ma_cross"), {"AAA": specimen_bars(3000)}).ok
    True
    """
    if not histories or any(not len(item) for item in histories.values()):
        raise InputError("a proof needs at least one bar of every instrument")
    cls = strategy if isinstance(strategy, type) else type(strategy)
    given = cls.Params() if params is None else params
    key = proof_key(strategy, histories, params=given)
    known = recall(key, cache) if key else None
    if known is not None:
        return known
    bars = {
        name: item if isinstance(item, Bars) else Bars.of(item) for name, item in histories.items()
    }
    rng = np.random.default_rng(_SEED)
    if issubclass(cls, EventStrategy):
        findings, evaluations = event_findings(cls, bars, params=given, rng=rng)
    else:
        thing = cls() if isinstance(strategy, type) else strategy
        assert isinstance(thing, SignalStrategy)
        suspect = Suspect(thing, given)
        groups = [{name: item} for name, item in bars.items()]
        if isinstance(thing, PortfolioStrategy):
            groups = [together(bars)]
        findings = []
        for group in groups:
            findings += _signal_findings(suspect, group, rng)
        evaluations = suspect.evaluations
    result = ProofResult(cls.name, tuple(findings), evaluations)
    if key:
        remember(key, result, folder=cache)
    return result


def _signal_findings(
    suspect: Suspect, bars: Mapping[str, Bars], rng: np.random.Generator
) -> list[Finding]:
    """Look for the gravest fault first: what follows from it need not be told as well."""
    rows = len(next(iter(bars.values())))
    if rows > _LONG_BARS:
        spans = ((0, _PART_BARS), (rows - _PART_BARS, rows))
        parts = [{key: item.rows(*span) for key, item in bars.items()} for span in spans]
        return _signal_findings(suspect, parts[0], rng) or _signal_findings(suspect, parts[1], rng)
    whole = evaluate(suspect.strategy, bars, params=suspect.params)
    suspect.evaluations += 1
    found = purity_findings(suspect, bars, whole=whole)
    if not found:
        found = look_ahead_findings(suspect, bars, whole=whole, rng=rng)
    if not found:
        found = warm_up_findings(suspect, bars, whole=whole, rng=rng)
    return found
