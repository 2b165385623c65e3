"""The folds of a walk-forward: which bars train, which test, and the gap between them."""

from dataclasses import dataclass

import numpy as np

from openalpha.core.errors import InputError
from openalpha.research.sweep_evaluate import Subject

__all__ = ["Fold", "folds_of"]


@dataclass(frozen=True, slots=True)
class Fold:
    """One step: training in [train_start, train_end), test in [test_start, test_end), UTC ms."""

    number: int
    train_start_ms: int
    train_end_ms: int
    test_start_ms: int
    test_end_ms: int


def folds_of(
    subject: Subject,
    *,
    folds: int,
    train: float,
    is_anchored: bool = False,
    purge_bars: int = 0,
    embargo_bars: int = 0,
) -> tuple[Fold, ...]:
    """Cut the time that every instrument of a subject has bars for into folds of whole bars.

    Parameters
    ----------
    folds : int
        How many tests there are; they cover what the first training leaves, end to end.
    train : float
        Share of the time the first training takes.
    is_anchored : bool
        Every training begins at the first bar; otherwise all are as long as the first.
    purge_bars, embargo_bars : int

    Raises
    ------
    InputError
        If the time is too short for them.
    """
    if folds < 1 or not 0 < train < 1 or purge_bars < 0 or embargo_bars < 0:
        raise InputError(
            "a walk-forward needs at least one fold, a train share between 0 and 1, and purge and "
            "embargo of 0 bars or more"
        )
    every = list(subject.histories.values())
    frame = every[0].timeframe_ms
    begin_ms = max(int(history.ts_ms[0]) for history in every)
    bars = (min(history.end_ms for history in every) - begin_ms) // frame
    first = int(train * bars)
    edges = np.linspace(first, bars, folds + 1).astype(np.int64)
    gap = purge_bars + embargo_bars
    if first - gap < 2 or np.diff(edges).min() < 2:
        raise InputError(
            f"{bars:,} bars are too few for {folds} folds with {first:,} bars of training; take "
            "fewer folds, another --train, or a longer time"
        )

    def at(bar: int) -> int:
        return int(begin_ms + bar * frame)

    found = []
    for number, (start, stop) in enumerate(
        zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)
    ):
        begin = 0 if is_anchored else start - first
        found.append(Fold(number, at(begin), at(start - gap), at(start), at(stop)))
    return tuple(found)
