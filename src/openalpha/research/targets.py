"""What a signal strategy wants to hold, on each history's own rows."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from openalpha.core.errors import InputError
from openalpha.strategy.bars import Bars
from openalpha.strategy.base import NO_OPINION_E6, PortfolioStrategy, SignalStrategy, evaluate_e6
from openalpha.strategy.params import StrategyParams
from openalpha.strategy.together import together

__all__ = ["targets_of"]


def targets_of(
    signal: SignalStrategy, params: StrategyParams, *, bars: Mapping[str, Bars]
) -> list[NDArray[np.int32]]:
    """Return the wanted fractions in millionths, one column an instrument in the order of `bars`.

    Parameters
    ----------
    signal : SignalStrategy
        A portfolio strategy is shown the stamps its instruments share.
    params : StrategyParams
    bars : mapping of role or instrument id to Bars

    Returns
    -------
    list of int32[len(bars of the instrument)]

    Raises
    ------
    InputError, DataError
        If the strategy fails, or gives targets that are none.
    """
    if isinstance(signal, PortfolioStrategy):
        shared = together(bars)
        targets = _on_own_rows(evaluate_e6(signal, shared, params=params), shared, bars)
    else:
        targets = evaluate_e6(signal, bars, params=params)
    return [targets[name] for name in bars]


def _on_own_rows(
    targets: Mapping[str, NDArray[np.int32]], shared: Mapping[str, Bars], bars: Mapping[str, Bars]
) -> dict[str, NDArray[np.int32]]:
    """Lay a portfolio strategy's targets, given for the shared stamps, on each history's rows."""
    out = {}
    for name, own in bars.items():
        if name not in targets:
            raise InputError(
                f"the strategy gave no target for '{name}'; it knows {', '.join(targets)}"
            )
        row = np.full(len(own.ts_ms), NO_OPINION_E6, dtype=np.int32)
        row[np.searchsorted(own.ts_ms, shared[name].ts_ms)] = targets[name]
        out[name] = row
    return out
