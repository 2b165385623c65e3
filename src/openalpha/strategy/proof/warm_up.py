"""The proof of a declared warm-up: after it, a strategy decides the same wherever it began.

The strategy is computed on histories that begin later. Once it has seen as many bars as it
declares, it must decide as it does on the whole history. What it merely holds from before counts
for nothing: only fresh decisions are compared.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from openalpha.core.clock import format_ms
from openalpha.strategy.bars import Bars, FloatArray
from openalpha.strategy.proof.result import Finding, FindingKind
from openalpha.strategy.proof.signal import Suspect

__all__ = ["warm_up_findings"]

_STARTS = 8
_TOLERANCE = 0.02
_LEAST_EVENTS = 4
_WRONG_EARLY = 0.25
_WRONG_LATE = 0.05


def warm_up_findings(
    suspect: Suspect,
    bars: Mapping[str, Bars],
    *,
    whole: dict[str, FloatArray],
    rng: np.random.Generator,
) -> list[Finding]:
    """Return what is wrong with the declared warm-up, one finding at most."""
    declared = suspect.warm_up_bars
    rows = len(next(iter(bars.values())))
    span = 6 * declared + 400
    if rows < span + 2 * declared + 10:
        return []
    starts = [int(start) for start in rng.integers(declared, rows - span, _STARTS)]
    later = [
        suspect.ask({key: item.rows(s, s + span) for key, item in bars.items()}) for s in starts
    ]
    for key, item in bars.items():
        shown = [part[key] for part in later]
        full = [whole[key][start : start + span] for start in starts]
        needed = _silent_bars(shown)
        if needed is None or needed <= declared:
            needed = _disagreeing_bars(shown, full, declared)
        if needed is not None and needed > declared:
            words = (
                f"it declares a warm-up of {declared} bars but needs about {needed}; "
                "raise warm_up_bars"
            )
            return [_finding(key, item, declared - 1, words)]
    return []


def _silent_bars(shown: list[FloatArray]) -> int | None:
    """Return the bars to a first opinion if they are the same wherever the history begins."""
    firsts = {int(np.argmax(~np.isnan(part))) if not np.isnan(part).all() else -1 for part in shown}
    if len(firsts) != 1 or -1 in firsts:
        return None
    return firsts.pop() + 1


def _disagreeing_bars(shown: list[FloatArray], full: list[FloatArray], declared: int) -> int | None:
    """Return about how many bars pass until fresh decisions agree with the whole history's."""
    events, wrong = zip(
        *(_fresh_and_wrong(part, whole) for part, whole in zip(shown, full, strict=True)),
        strict=True,
    )
    fresh = np.sum(events, axis=0)
    failed = np.sum(wrong, axis=0)
    early = slice(declared - 1, 3 * declared + 100)
    late = slice(3 * declared + 100, None)
    if fresh[early].sum() < _LEAST_EVENTS or fresh[late].sum() < _LEAST_EVENTS:
        return None
    is_wrong_early = failed[early].sum() > _WRONG_EARLY * fresh[early].sum()
    is_right_late = failed[late].sum() <= _WRONG_LATE * fresh[late].sum()
    if not (is_wrong_early and is_right_late):
        return None
    return int(np.flatnonzero(failed[early])[-1]) + declared + 1


def _fresh_and_wrong(
    shown: FloatArray, full: FloatArray
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return per row whether either run decides anew there, and whether they then differ."""
    left, right = np.nan_to_num(shown), np.nan_to_num(full)
    theirs = np.abs(np.diff(right, prepend=right[0])) > 0
    ours = np.abs(np.diff(left, prepend=left[0])) > 0
    # The first opinion of the later run is no change of mind.
    ours[: int(np.argmax(~np.isnan(shown))) + 1] = False
    fresh = (ours | theirs).astype(np.int64)
    wrong = fresh * (np.abs(left - right) > _TOLERANCE)
    return fresh, wrong


def _finding(key: str, bars: Bars, row: int, words: str) -> Finding:
    ts_ms = int(bars.ts_ms[row])
    sentence = f"at the bar of {format_ms(ts_ms)} ({bars.instrument_id or key}) {words}"
    return Finding(FindingKind.WARM_UP, key, ts_ms, "", sentence)
