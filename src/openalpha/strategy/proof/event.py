"""The proof of an event strategy: the same past must lead to the same orders.

The context shows the past only, so this catches what goes round it: a file, a clock, a random
draw, a table computed beforehand.
"""

from collections.abc import Mapping

import numpy as np

from openalpha.core.clock import format_ms
from openalpha.strategy.bars import Bars
from openalpha.strategy.events import EventStrategy
from openalpha.strategy.params import StrategyParams
from openalpha.strategy.proof.futures import FUTURES, with_future
from openalpha.strategy.proof.rehearsal import Note, rehearse
from openalpha.strategy.proof.result import Finding, FindingKind

__all__ = ["event_findings"]

_WINDOW = 2_000
_CUTS = 3


def event_findings(
    strategy: type[EventStrategy],
    bars: Mapping[str, Bars],
    *,
    params: StrategyParams,
    rng: np.random.Generator,
) -> tuple[list[Finding], int]:
    """Return what was found on the first instrument's first bars, and how often it was played."""
    key, item = next(iter(bars.items()))
    part = item.upto(min(len(item), _WINDOW))
    whole = rehearse(strategy(params), part)
    if rehearse(strategy(params), part) != whole:
        words = "two runs on the same bars place different orders: it must not be random"
        return [_finding(FindingKind.NOT_PURE, key, part, 0, words)], 2
    played = 2
    for cut in sorted(int(cut) for cut in rng.integers(1, max(len(part), 2), _CUTS)):
        for future in FUTURES:
            played += 1
            other = rehearse(strategy(params), with_future(part, cut, future=future))
            row = _first_difference(whole, other, cut)
            if row is not None:
                words = "its orders depend on bars that have not been shown to it yet"
                return [_finding(FindingKind.LOOK_AHEAD, key, part, row, words)], played
    return [], played


def _first_difference(whole: list[Note], other: list[Note], cut: int) -> int | None:
    ours = [note for note in whole if note[0] < cut]
    theirs = [note for note in other if note[0] < cut]
    for left, right in zip(ours, theirs, strict=False):
        if left != right:
            return min(left[0], right[0])
    if len(ours) == len(theirs):
        return None
    longer = ours if len(ours) > len(theirs) else theirs
    return longer[min(len(ours), len(theirs))][0]


def _finding(kind: FindingKind, key: str, bars: Bars, row: int, words: str) -> Finding:
    ts_ms = int(bars.ts_ms[row])
    sentence = f"at the bar of {format_ms(ts_ms)} ({bars.instrument_id or key}) {words}"
    return Finding(kind, key, ts_ms, "", sentence)
