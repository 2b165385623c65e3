"""Where targets turn: the pass then looks rows up instead of reading every target."""

import numpy as np
from numpy.typing import NDArray

from openalpha.engine.compiled.plan import PL_TURN, PL_TURN_END
from openalpha.venue.kernel._compile import entry
from openalpha.venue.kernel.layout import I64

__all__ = ["note_turns"]


@entry
def note_turns(targets: NDArray[np.int32], plans: I64, turns: NDArray[np.int32]) -> int:
    """Find the rows whose target differs from the one before, instrument by instrument.

    Parameters
    ----------
    targets : int32[n_inst, n]
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
    for number in range(targets.shape[0]):
        plans[number, PL_TURN] = found
        row = targets[number]
        for j in range(1, row.shape[0]):
            turns[found] = j
            found += row[j] != row[j - 1]
        plans[number, PL_TURN_END] = found
    return found
