"""How far an account can be led with nothing happening, for strategies that decide in Python."""

import numpy as np
from numpy.typing import NDArray

from openalpha.engine.compiled.curve import mark_rows
from openalpha.venue.kernel._compile import entry
from openalpha.venue.kernel.layout import I64, Market
from openalpha.venue.kernel.skipping import first_touched_row


@entry
def quiet_stretch(
    m: I64, mk: Market, equity: NDArray[np.float64], start: int, stop: int, is_led: bool
) -> int:
    """Mark equity over the rows from `start` on in which nothing can happen. Changes nothing else.

    Parameters
    ----------
    equity : float64[n]
        Filled at each row's close, in cash units, to the bit as the compiled pass fills it.
    is_led : bool
        Whether the account was led through row `start` already: it is marked without a look.

    Returns
    -------
    int
        The first row in which something can happen, or `stop`.
    """
    begin = start + 1 if is_led else start
    reached = first_touched_row(m, mk, begin, stop) if begin < stop else stop
    mark_rows(m, mk, equity, start, reached)
    return reached
