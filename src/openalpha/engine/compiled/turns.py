"""Where targets turn: the pass then looks rows up instead of reading every target."""

import numpy as np
from numpy.typing import NDArray

from openalpha.engine.compiled.plan import PL_TURN, PL_TURN_END
from openalpha.venue.kernel._compile import entry
from openalpha.venue.kernel.layout import I64

__all__ = ["changes", "note_turns"]


def changes(targets: NDArray[np.int32]) -> I64:
    """Mark the rows whose target differs from the one before, eight to a number.

    Returns
    -------
    int64[n_inst, n / 8, rounded up]
        A byte a row, the first row's lowest; 1 where it turns.
    """
    rows = targets.shape[1]
    marks = np.empty((targets.shape[0], -(-rows // 8) * 8), dtype=np.bool_)
    marks[:, 0] = marks[:, rows:] = False
    np.not_equal(targets[:, 1:], targets[:, :-1], out=marks[:, 1:rows])
    return marks.view("<i8")


@entry
def note_turns(marks: I64, plans: I64, turns: NDArray[np.int32]) -> int:
    """List the rows whose target differs from the one before, instrument by instrument.

    Parameters
    ----------
    marks : int64[n_inst, n / 8]
        As `changes` gives them.
    plans : int64[n_inst, PLAN_COLS]
        Which of the turns are an instrument's is written into them.
    turns : int32[n_inst * n + 1]
        Written from the first place on; memory beyond what is found is never touched.

    Returns
    -------
    int
        How many there are.
    """
    found = 0
    for number in range(marks.shape[0]):
        plans[number, PL_TURN] = found
        for eight in range(marks.shape[1]):
            mark = marks[number, eight]
            if mark != 0:
                for k in range(8):
                    turns[found] = 8 * eight + k
                    found += (mark >> (8 * k)) & 1
        plans[number, PL_TURN_END] = found
    return found
