"""One indicator: its inputs, parameters, outputs and memory, and the one way it is called."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np

from openalpha.core.errors import InputError
from openalpha.strategy.bars import COLUMNS, Bars, FloatArray
from openalpha.strategy.indicators.memory import remembered

__all__ = ["Indicator", "Memory", "Missing"]

_Column = TypeVar("_Column")
Number = int | float


class Memory(StrEnum):
    """How far back a value reaches.

    WINDOW: the last few bars only. FADING: all of history, with weights that die away (EMA).
    ENDLESS: all of history for good (on-balance volume), so the level means nothing by itself.
    """

    WINDOW = "window"
    FADING = "fading"
    ENDLESS = "endless"


class Missing(StrEnum):
    """What an indicator does with a row whose input is NaN.

    SKIPPED: such rows are left out, as if the bar did not exist, and come out NaN.
    MEANT: NaN says something (no settlement in this bar) and is given to the function.
    """

    SKIPPED = "skipped"
    MEANT = "meant"


@dataclass(frozen=True, slots=True)
class Indicator:
    """A named function from columns to columns that never looks ahead.

    Call it on columns (`ema(close, period=20)`), or on bars (`atr.on(bars, period=14)`), numpy or
    polars; what comes back is of the same kind and length.

    Attributes
    ----------
    name, group, help : str
        What it is called, where it belongs, what it says.
    inputs : tuple of str
        Columns in calling order. Those `Bars` has are found by `on`; others are given by name.
    parameters : mapping of str to number
        Names and defaults.
    outputs : tuple of str
        The first is what a call returns unless `output=` names another.
    memory : Memory
        How far back a value reaches.
    warm_up : callable or None
        From parameters to the bars that must be seen for a first value: the rows before are NaN,
        that row is not. None where it depends on the data (settlements, midnights).
    settle : callable
        From parameters to the bars after which where the history began no longer matters (to
        about 1e-6); equal to `warm_up` for a window.
    """

    name: str
    group: str
    help: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    function: Callable[..., tuple[FloatArray, ...]]
    warm_up: Callable[[Mapping[str, Number]], int] | None
    settle: Callable[[Mapping[str, Number]], int]
    memory: Memory = Memory.WINDOW
    missing: Missing = Missing.SKIPPED
    parameters: Mapping[str, Number] = field(default_factory=lambda: MappingProxyType({}))

    def __call__(self, *columns: _Column, output: str = "", **parameters: Number) -> _Column:
        """Return one output for the columns given in the order of `inputs`.

        Parameters
        ----------
        columns : float64[n] or polars.Series
            As many as `inputs`.
        output : str
            Which output; empty for the first.
        parameters : int or float
            Overrule the defaults.

        Returns
        -------
        float64[n] or polars.Series
            NaN for the first `warm_up_bars - 1` rows.

        Raises
        ------
        InputError
            If a parameter or output is unknown or out of range, or columns differ in length.
        """
        results = self._results(columns, parameters)
        index = self._output_index(output)
        found: _Column = _like(results[index], columns[0], self.outputs[index])
        return found

    def all(self, *columns: _Column, **parameters: Number) -> dict[str, _Column]:
        """Return every output by name; otherwise as a call."""
        results = self._results(columns, parameters)
        named = zip(self.outputs, results, strict=True)
        return {name: _like(values, columns[0], name) for name, values in named}

    def on(
        self,
        bars: Bars,
        *,
        output: str = "",
        others: Mapping[str, FloatArray] | None = None,
        **parameters: Number,
    ) -> FloatArray:
        """Return one output for bars, their columns found by the names of `inputs`.

        Parameters
        ----------
        bars : Bars
            Where the columns come from.
        output : str
            Which output; empty for the first.
        others : mapping of str to float64[n], optional
            Inputs that bars do not have (`other`, `bid`), or that should replace theirs.

        Raises
        ------
        InputError
            As a call, and if an input is missing.
        """
        given = dict(others or {})
        columns = [self._column_of(bars, name, given) for name in self.inputs]
        found: FloatArray = self(*columns, output=output, **parameters)
        return found

    def warm_up_bars(self, **parameters: Number) -> int:
        """Return how many bars must be seen for the first value (1: this bar is enough).

        Where that depends on the data (settlements, midnights), 1: the rows before are still NaN.
        """
        return 1 if self.warm_up is None else self.warm_up(self._merged(parameters))

    def settled_bars(self, **parameters: Number) -> int:
        """Return after how many bars the beginning of the history no longer matters (to 1e-6).

        A strategy whose indicators fade declares this as its warm-up: then a run that begins
        elsewhere makes the same decisions.
        """
        return max(self.settle(self._merged(parameters)), self.warm_up_bars(**parameters))

    def _results(
        self, columns: tuple[Any, ...], parameters: Mapping[str, Number]
    ) -> tuple[FloatArray, ...]:
        merged = self._merged(parameters)
        arrays = _as_columns(self.name, self.inputs, columns)
        if not len(arrays[0]):
            return tuple(np.empty(0) for _ in self.outputs)
        return remembered(
            self.name, arrays, parameters=merged, compute=lambda: self._computed(arrays, merged)
        )

    def _computed(
        self, arrays: tuple[FloatArray, ...], merged: Mapping[str, Number]
    ) -> tuple[FloatArray, ...]:
        if self.missing is Missing.MEANT:
            return self.function(*arrays, **merged)
        known = ~np.isnan(arrays[0])
        for array in arrays[1:]:
            known &= ~np.isnan(array)
        if known.all():
            return self.function(*arrays, **merged)
        if not known.any():
            return tuple(np.full(len(known), np.nan) for _ in self.outputs)
        parts = self.function(*(np.ascontiguousarray(item[known]) for item in arrays), **merged)
        return tuple(_spread(part, known) for part in parts)

    def _merged(self, parameters: Mapping[str, Number]) -> dict[str, Number]:
        for name in parameters:
            if name not in self.parameters:
                near = get_close_matches(name, self.parameters, n=1)
                known = ", ".join(self.parameters) or "none"
                hint = f"did you mean '{near[0]}'?" if near else f"it has {known}"
                raise InputError(f"indicator {self.name} has no parameter '{name}'; {hint}")
        merged = {**self.parameters, **parameters}
        return {name: self._whole(name, value) for name, value in merged.items()}

    def _whole(self, name: str, value: Number) -> Number:
        # Bars are counted in whole numbers: what has a whole default takes whole values only.
        if not isinstance(self.parameters[name], int):
            return value
        if int(value) != value or value < 1:
            raise InputError(
                f"indicator {self.name}: {name} is {value}, expected a whole number from 1"
            )
        return int(value)

    def _output_index(self, output: str) -> int:
        if not output:
            return 0
        if output not in self.outputs:
            names = ", ".join(self.outputs)
            raise InputError(f"indicator {self.name} has no output '{output}'; it has {names}")
        return self.outputs.index(output)

    def _column_of(self, bars: Bars, name: str, given: Mapping[str, FloatArray]) -> FloatArray:
        if name in given:
            return given[name]
        if name == "ts_ms":
            return np.asarray(bars.ts_ms, dtype=np.float64)
        if name not in COLUMNS:
            raise InputError(f"indicator {self.name} needs '{name}', which bars have not; give it")
        return bars.column(name)


def _as_columns(
    name: str, inputs: tuple[str, ...], columns: tuple[Any, ...]
) -> tuple[FloatArray, ...]:
    """Return columns as contiguous float64[n] of one length, or say what is wrong with them."""
    if len(columns) != len(inputs):
        raise InputError(
            f"indicator {name} takes {', '.join(inputs)}: {len(inputs)} columns, not {len(columns)}"
        )
    arrays = tuple(np.ascontiguousarray(column, dtype=np.float64) for column in columns)
    shapes = {array.shape for array in arrays}
    if len(shapes) > 1 or arrays[0].ndim != 1:
        raise InputError(f"indicator {name} takes columns of one length, got {sorted(shapes)}")
    return arrays


def _spread(values: FloatArray, known: Any) -> FloatArray:
    out = np.full(len(known), np.nan)
    out[known] = values
    return out


def _like(values: FloatArray, column: Any, name: str) -> Any:
    if type(column).__module__.startswith("polars"):
        import polars as pl

        return pl.Series(name, values)
    return values
