"""The proof of a signal strategy: its past must not change when its future does.

For several cuts the strategy is computed on the bars before the cut alone, and on bars with
another future from the cut on. Whatever differs before the cut was read from after it. Cuts are
laid where the target changes, because there a leak shows, and at random.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from openalpha.core.clock import format_ms
from openalpha.core.errors import OpenAlphaError
from openalpha.strategy.bars import COLUMNS, Bars, FloatArray
from openalpha.strategy.base import PortfolioStrategy, SignalStrategy, ask, evaluate_e6, quantise
from openalpha.strategy.params import StrategyParams
from openalpha.strategy.proof.futures import FUTURES, Future, with_future
from openalpha.strategy.proof.result import Finding, FindingKind

__all__ = ["Suspect", "differing_rows", "look_ahead_findings", "purity_findings"]

_CUTS_AT_CHANGES = 6
_CUTS_AT_RANDOM = 4
_LEAST_WINDOW = 3_000
_FAR = (1, 2, 3, 5, 10, 24, 50, 100, 250, 1_000, 5_000)

Targets = dict[str, FloatArray]


@dataclass
class Suspect:
    """A strategy under examination, and how often it has been asked."""

    strategy: SignalStrategy
    params: StrategyParams
    evaluations: int = 0

    def ask(self, bars: Mapping[str, Bars]) -> Targets:
        """Return the targets, warnings of the strategy's arithmetic kept quiet.

        Whether they lie in range is not asked: on an invented future they need not.
        """
        self.evaluations += 1
        with np.errstate(all="ignore"):
            return ask(self.strategy, bars, params=self.params)

    @property
    def warm_up_bars(self) -> int:
        """Bars the strategy says it needs."""
        return max(self.strategy.warm_up_bars(self.params), 1)


def differing_rows(left: FloatArray, right: FloatArray) -> NDArray[np.intp]:
    """Return the rows whose targets differ by half a millionth or more, or in having none."""
    is_same = (left == right) | (np.isnan(left) & np.isnan(right))
    if is_same.all():
        return np.empty(0, dtype=np.intp)
    # Sums of another length may differ in their last bit; no order ever sees that.
    with np.errstate(invalid="ignore"):
        return np.flatnonzero(~is_same & ~(np.abs(left - right) < 5e-7))


def purity_findings(suspect: Suspect, bars: Mapping[str, Bars], *, whole: Targets) -> list[Finding]:
    """Check that asking twice gives the same, and that the quick target is the target."""
    again = suspect.ask(bars)
    for key, values in whole.items():
        rows = differing_rows(values, again[key])
        if len(rows):
            words = "two computations on the same bars differ: it must not be random or keep state"
            return [_finding(FindingKind.NOT_PURE, key, bars[key], int(rows[0]), "", words)]
        if isinstance(suspect.strategy, PortfolioStrategy):
            continue
        quick = evaluate_e6(suspect.strategy, {key: bars[key]}, params=suspect.params)[key]
        if not np.array_equal(quick, quantise(values)):
            row = int(np.flatnonzero(quick != quantise(values))[0])
            words = "target_e6 is not the quantised target"
            return [_finding(FindingKind.NOT_PURE, key, bars[key], row, "", words)]
    return []


def look_ahead_findings(
    suspect: Suspect, bars: Mapping[str, Bars], *, whole: Targets, rng: np.random.Generator
) -> list[Finding]:
    """Search for targets that depend on later bars; return one finding an instrument at most."""
    rows = len(next(iter(bars.values())))
    for start, stop in _windows(whole, rows, suspect.warm_up_bars, rng):
        part = {key: item.rows(start, stop) for key, item in bars.items()}
        base = whole if (start, stop) == (0, rows) else suspect.ask(part)
        for cut in _cuts(base, suspect.warm_up_bars, stop - start, rng):
            found = _examine(suspect, part, base, cut)
            if found:
                return found
    return _examine_whole(suspect, bars, whole, rows, rng)


def _windows(
    whole: Targets, rows: int, warm_up: int, rng: np.random.Generator
) -> Iterator[tuple[int, int]]:
    """Yield the first bars, and bars around a change of the target somewhere later."""
    size = min(rows, max(_LEAST_WINDOW, 2 * warm_up + 2_000))
    yield 0, size
    if rows > size:
        changes = _changes(whole)
        changes = changes[changes > size]
        middle = int(rng.choice(changes)) if len(changes) else rows
        start = min(max(middle - size + size // 4, 1), rows - size)
        yield start, start + size


def _changes(targets: Targets) -> NDArray[np.intp]:
    """Return the rows at which any target differs from the row before."""
    found = [np.flatnonzero(np.diff(np.nan_to_num(item))) + 1 for item in targets.values()]
    return np.unique(np.concatenate(found))


def _cuts(base: Targets, warm_up: int, rows: int, rng: np.random.Generator) -> list[int]:
    """Return rows to cut at: just after changes of the target, where a leak shows, and others."""
    low = min(max(warm_up, 2), rows - 1)
    changes = _changes(base)
    at_changes = changes[(changes >= low) & (changes < rows - 1)] + 1
    if len(at_changes) > _CUTS_AT_CHANGES:
        at_changes = rng.choice(at_changes, _CUTS_AT_CHANGES, replace=False)
    others = rng.integers(low, rows, _CUTS_AT_RANDOM) if rows > low else np.empty(0, dtype=np.int64)
    return sorted({int(cut) for cut in (*at_changes, *others)})


def _examine(suspect: Suspect, bars: Mapping[str, Bars], base: Targets, cut: int) -> list[Finding]:
    """Compare the targets before a cut with those on other futures and on no future at all."""
    try:
        prefix = suspect.ask({key: item.upto(cut) for key, item in bars.items()})
    except OpenAlphaError as error:
        words = f"on the first {cut} bars alone it cannot be computed: {error.message}"
        key = next(iter(bars))
        return [_finding(FindingKind.FAILS, key, bars[key], cut - 1, "", words)]
    shown = _differences(base, prefix, cut)
    for future in FUTURES:
        if shown:
            break
        other = _ask_other(suspect, bars, cut, future)
        shown = _differences(base, other, cut) if other else {}
    return [_blame(suspect, bars, base, key, row) for key, row in shown.items()]


def _examine_whole(
    suspect: Suspect, bars: Mapping[str, Bars], whole: Targets, rows: int, rng: np.random.Generator
) -> list[Finding]:
    """Look once at the whole length: what depends on it does not show in a window."""
    cut = int(rng.integers(rows - rows // 10, rows)) if rows > 20 else rows - 1
    if cut < 2:
        return []
    first = _examine_prefix(suspect, bars, whole, cut)
    if first:
        return first
    other = _ask_other(suspect, bars, cut, FUTURES[2])
    shown = _differences(whole, other, cut) if other else {}
    return [_blame(suspect, bars, whole, key, row) for key, row in shown.items()]


def _examine_prefix(
    suspect: Suspect, bars: Mapping[str, Bars], whole: Targets, cut: int
) -> list[Finding]:
    prefix = suspect.ask({key: item.upto(cut) for key, item in bars.items()})
    shown = _differences(whole, prefix, cut)
    return [_blame(suspect, bars, whole, key, row) for key, row in shown.items()]


def _ask_other(
    suspect: Suspect,
    bars: Mapping[str, Bars],
    cut: int,
    future: Future,
    *,
    columns: Sequence[str] = COLUMNS,
    only: str = "",
) -> Targets | None:
    """Return the targets on another future, None where the strategy cannot compute them."""
    other = {
        key: with_future(item, cut, future=future, columns=columns) if only in ("", key) else item
        for key, item in bars.items()
    }
    try:
        return suspect.ask(other)
    except OpenAlphaError:
        return None


def _differences(base: Targets, other: Targets, cut: int) -> dict[str, int]:
    """Return for every instrument that differs before the cut the last row that does."""
    found = {}
    for key, values in base.items():
        rows = differing_rows(values[:cut], other[key][:cut])
        if len(rows):
            # That row is nearest to the cut: what it reads lies just beyond it.
            found[key] = int(rows[-1])
    return found


def _blame(
    suspect: Suspect, bars: Mapping[str, Bars], base: Targets, key: str, row: int
) -> Finding:
    """Name the column a target reads from the future, and how far ahead it reads."""
    guilty = [
        (owner, column)
        for owner in bars
        for column in COLUMNS
        if _is_moved(suspect, bars, base, (key, row), row + 1, (column,), owner)
    ]
    if not guilty:
        return _blame_length(suspect, bars, base, key, row)
    owner, column = next((pair for pair in guilty if pair[1] == "close"), guilty[0])
    far = _reach(suspect, bars, base, (key, row), column, owner)
    names = ", ".join(dict.fromkeys(name for _, name in guilty))
    of = "" if owner == key else f" of {owner}"
    words = (
        f"its target reads {names}{of} of later bars (at least {far} bar{'s' if far > 1 else ''} "
        "ahead); use only values up to the bar itself"
    )
    return _finding(FindingKind.LOOK_AHEAD, key, bars[key], row, column, words)


def _blame_length(
    suspect: Suspect, bars: Mapping[str, Bars], base: Targets, key: str, row: int
) -> Finding:
    """Say that the mere presence of later bars matters, or several columns only together."""
    if _is_moved(suspect, bars, base, (key, row), row + 1, COLUMNS, ""):
        words = "its target reads several columns of later bars; use only values up to the bar"
    else:
        words = (
            "its target changes with the number of bars that follow; nothing may be taken "
            "from the end or the length of the history"
        )
    return _finding(FindingKind.LOOK_AHEAD, key, bars[key], row, "", words)


def _is_moved(
    suspect: Suspect,
    bars: Mapping[str, Bars],
    base: Targets,
    place: tuple[str, int],
    first: int,
    columns: Sequence[str],
    owner: str,
) -> bool:
    """Whether the target at a place changes when these columns differ from row `first` on."""
    key, row = place
    if first >= len(bars[key]):
        return False
    for future in FUTURES:
        other = _ask_other(suspect, bars, first, future, columns=columns, only=owner)
        place_only = slice(row, row + 1)
        if other and len(differing_rows(base[key][place_only], other[key][place_only])):
            return True
    return False


def _reach(
    suspect: Suspect,
    bars: Mapping[str, Bars],
    base: Targets,
    place: tuple[str, int],
    column: str,
    owner: str,
) -> int:
    """Return how many bars ahead the target surely reads a column."""
    surely = 1
    for far in _FAR[1:]:
        if not _is_moved(suspect, bars, base, place, place[1] + far, (column,), owner):
            break
        surely = far
    return surely


def _finding(kind: FindingKind, key: str, bars: Bars, row: int, column: str, words: str) -> Finding:
    ts_ms = int(bars.ts_ms[row])
    name = bars.instrument_id or key
    sentence = f"at the bar of {format_ms(ts_ms)} ({name}) {words}"
    return Finding(kind, key, ts_ms, column, sentence)
