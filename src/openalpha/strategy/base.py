"""Signal strategies: pure functions from bars to targets, and how they are asked.

Most ideas, every model and every search live here.
"""

import traceback
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from openalpha.core.clock import format_ms
from openalpha.core.errors import DataError, InputError, OpenAlphaError
from openalpha.strategy.bars import Bars, FloatArray
from openalpha.strategy.params import Exits, StrategyParams

__all__ = [
    "NO_OPINION_E6",
    "PortfolioStrategy",
    "SignalStrategy",
    "ask",
    "evaluate",
    "evaluate_e6",
    "failure_words",
    "quantise",
]

NO_OPINION_E6 = np.int32(-(2**31))
"""What a target in millionths holds where the strategy has no opinion (NaN)."""


class SignalStrategy(ABC):
    """A strategy that says, for every bar, how much it wants to hold.

    `target` must be pure: the same bars and parameters give the same bits, the bars are not
    changed, and the value at bar t depends on bars up to t only (`prove` checks all of it).
    """

    name: ClassVar[str]
    idea: ClassVar[str]
    Params: ClassVar[type[StrategyParams]] = StrategyParams

    def warm_up_bars(self, params: Any) -> int:
        """Return how many bars must be seen before the first opinion; 1 needs this bar only."""
        return 1

    @abstractmethod
    def target(self, bars: Bars, params: Any) -> FloatArray:
        """Return the wanted position for every bar.

        Parameters
        ----------
        bars : Bars
            History of one instrument.
        params : StrategyParams
            An instance of `Params`.

        Returns
        -------
        float64[n]
            -1 (fully short) to 1 (fully long), decided at each bar's close. NaN: no opinion,
            the position is kept (flat before the first opinion).
        """

    def target_e6(self, bars: Bars, params: Any) -> NDArray[np.int32] | None:
        """Return `quantise(target(...))` where it can be had more quickly, else None.

        Optional. `prove` checks that it equals the quantised target.
        """
        return None

    def exits(self, params: Any) -> Exits:
        """Return the exits every entry carries; by default those the parameters declare."""
        assert isinstance(params, StrategyParams)
        return params.exits()


class PortfolioStrategy(SignalStrategy):
    """A signal strategy that decides over several instruments at once.

    `roles` names the parts instruments play (`("spot", "perp")`); the bars come by role, several
    of one role as `spot.BTC`, `spot.ETH`. Without roles the bars come by instrument id. All bars
    share one grid of stamps. The sum of the absolute targets of a bar is at most 1.
    """

    roles: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def targets(self, bars: Mapping[str, Bars], params: Any) -> Mapping[str, FloatArray]:
        """Return the wanted position of every instrument for every bar, under the keys given.

        Parameters
        ----------
        bars : mapping of str to Bars
            By role or instrument id, all of the same length.
        params : StrategyParams
            An instance of `Params`.

        Returns
        -------
        mapping of str to float64[n]
            As `SignalStrategy.target`, one column a key of `bars`.
        """

    def target(self, bars: Bars, params: Any) -> FloatArray:
        """Refuse: a portfolio strategy decides over all its instruments in `targets`."""
        raise NotImplementedError(f"{self.name} decides over several instruments: call targets")


def ask(
    strategy: SignalStrategy, bars: Mapping[str, Bars], *, params: StrategyParams
) -> dict[str, FloatArray]:
    """Return a strategy's targets without asking whether they lie in range; see `evaluate`."""
    try:
        if isinstance(strategy, PortfolioStrategy):
            given = strategy.targets(bars, params)
        else:
            given = {key: strategy.target(part, params) for key, part in bars.items()}
    except OpenAlphaError:
        raise
    except Exception as error:
        raise InputError(f"strategy {strategy.name} fails: {failure_words(error)}") from error
    if set(given) != set(bars):
        raise DataError(
            f"strategy {strategy.name} gave targets for {sorted(given)}, expected {sorted(bars)}"
        )
    silent = max(strategy.warm_up_bars(params), 1) - 1
    return {key: _column(strategy.name, given[key], part, silent) for key, part in bars.items()}


def evaluate(
    strategy: SignalStrategy, bars: Mapping[str, Bars], *, params: StrategyParams
) -> dict[str, FloatArray]:
    """Return the checked targets of a strategy over its instruments.

    Parameters
    ----------
    strategy : SignalStrategy
        A portfolio strategy is asked once for all; any other once an instrument.
    bars : mapping of str to Bars
        By role or instrument id.
    params : StrategyParams
        An instance of the strategy's `Params`.

    Returns
    -------
    dict of str to float64[n]
        One column a key, each within [-1, 1] or NaN; NaN before the declared warm-up, whatever
        the strategy said there.

    Raises
    ------
    DataError
        If a target has the wrong length or leaves the range; names the strategy and the bar.
    InputError
        If the strategy's own code fails; names the line.
    """
    targets = ask(strategy, bars, params=params)
    for key, values in targets.items():
        _check_range(strategy.name, values, bars[key])
    if isinstance(strategy, PortfolioStrategy):
        _check_gross(strategy.name, targets, next(iter(bars.values())))
    return targets


def evaluate_e6(
    strategy: SignalStrategy, bars: Mapping[str, Bars], *, params: StrategyParams
) -> dict[str, NDArray[np.int32]]:
    """Return `quantise(evaluate(...))`, by the strategy's quick way where it has one.

    Parameters and errors are those of `evaluate`; this is what an engine asks for.

    Returns
    -------
    dict of str to int32[n]
        Millionths, `NO_OPINION_E6` where the strategy has no opinion.
    """
    quick: dict[str, NDArray[np.int32]] = {}
    if not isinstance(strategy, PortfolioStrategy):
        silent = max(strategy.warm_up_bars(params), 1) - 1
        for key, part in bars.items():
            units = strategy.target_e6(part, params)
            if units is None:
                break
            units[:silent] = NO_OPINION_E6
            quick[key] = units
    if len(quick) == len(bars):
        return quick
    return {
        key: quantise(values) for key, values in evaluate(strategy, bars, params=params).items()
    }


def quantise(target: FloatArray) -> NDArray[np.int32]:
    """Return targets in whole millionths, `NO_OPINION_E6` where NaN.

    Examples
    --------
    >>> quantise(np.array([0.5, -1.0])).tolist()
    [500000, -1000000]
    """
    known = ~np.isnan(target)
    rounded = np.rint(np.where(known, target, 0.0) * 1e6).astype(np.int32)
    return np.where(known, rounded, NO_OPINION_E6)


def failure_words(error: Exception) -> str:
    """Say what went wrong in a strategy's code, and in which line of which file."""
    if "read-only" in str(error):
        what = "it changes the bars it was given; copy a column before writing to it"
    else:
        what = f"{type(error).__name__}: {error}"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).parent.name != "strategy"]
    last = own[-1] if own else frames[-1]
    return f"{what} ({Path(last.filename).name}, line {last.lineno})"


def _column(name: str, target: Any, bars: Bars, silent: int) -> FloatArray:
    values = np.ascontiguousarray(target, dtype=np.float64)
    if values.shape != (len(bars),):
        raise DataError(
            f"strategy {name} gave targets of shape {values.shape} for {len(bars)} bars; "
            "it must give one number a bar"
        )
    if not silent:
        return values
    if not values.flags.writeable:
        values = values.copy()
    values[:silent] = np.nan
    return values


def _check_range(name: str, values: FloatArray, bars: Bars) -> None:
    # Comparisons with NaN are false, so no opinion passes.
    wrong = (values > 1.0) | (values < -1.0)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise DataError(
            f"strategy {name} wants {values[row]:g} at the bar of "
            f"{format_ms(int(bars.ts_ms[row]))}; a target lies between -1 and 1"
        )


def _check_gross(name: str, targets: Mapping[str, FloatArray], bars: Bars) -> None:
    gross = np.zeros(len(bars))
    for values in targets.values():
        gross += np.abs(np.nan_to_num(values))
    if len(gross) and gross.max() > 1.0 + 1e-9:
        row = int(np.argmax(gross > 1.0 + 1e-9))
        raise DataError(
            f"strategy {name} wants {gross[row]:g} in all at the bar of "
            f"{format_ms(int(bars.ts_ms[row]))}; the absolute targets must sum to at most 1"
        )
