"""What a sweep varies: one axis a parameter, each a list of values or a range to sample from."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from openalpha.core.errors import InputError
from openalpha.strategy.params import ParameterInfo, StrategyParams, build_params, parameter_table

__all__ = ["Axis", "Config", "Space", "parse_axis", "space_of"]

Config = dict[str, Any]
"""Values of the parameters a sweep varies, by name, as JSON can hold them."""

_MOST_VALUES = 1_000_000


@dataclass(frozen=True, slots=True)
class Axis:
    """One parameter and where its values lie.

    Parameters
    ----------
    name : str
    values : tuple
        Its values in order; empty for a range without a step, which only sampling can use.
    low, high : float
        The range, where there are no values.
    """

    name: str
    values: tuple[Any, ...] = ()
    low: float = math.nan
    high: float = math.nan

    @property
    def is_range(self) -> bool:
        """Whether any value between low and high may be taken."""
        return not self.values

    @property
    def is_ordered(self) -> bool:
        """Whether neighbouring values are near each other: numbers, at least two."""
        return len(self.values) > 1 and all(
            isinstance(value, int | float) and not isinstance(value, bool) for value in self.values
        )

    def at(self, share: float) -> Any:
        """Return the value at a share of the axis, 0 <= share < 1."""
        if self.is_range:
            return self.low + share * (self.high - self.low)
        return self.values[min(int(share * len(self.values)), len(self.values) - 1)]


@dataclass(frozen=True, slots=True)
class Space:
    """All axes of a sweep, in the order they were given."""

    axes: tuple[Axis, ...]

    @property
    def size(self) -> float:
        """How many configurations there are; infinite with a range."""
        return math.inf if self.has_range else math.prod(len(axis.values) for axis in self.axes)

    @property
    def has_range(self) -> bool:
        """Whether an axis is a range without a step."""
        return any(axis.is_range for axis in self.axes)

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters varied."""
        return tuple(axis.name for axis in self.axes)

    def all(self) -> Iterator[Config]:
        """Yield every configuration, the last axis turning fastest."""
        for values in product(*(axis.values for axis in self.axes)):
            yield dict(zip(self.names, values, strict=True))

    def as_record(self) -> dict[str, Any]:
        """Return the space as JSON can hold it."""
        return {
            axis.name: [axis.low, axis.high] if axis.is_range else {"values": list(axis.values)}
            for axis in self.axes
        }


def space_of(grid: Mapping[str, Any], params: type[StrategyParams], *, strategy: str) -> Space:
    """Return the space a grid describes.

    Parameters
    ----------
    grid : mapping of parameter name to values
        A sequence of values; one value; or a text: `5:40:1` (from, to and step, both ends in),
        `1.5:3` (any value between, for sampling), `sma,ema` (a list).
    params : type
        The strategy's `Params`.
    strategy : str
        For messages.

    Raises
    ------
    InputError
        If the grid is empty, a name unknown, or a value not one the parameter can have.

    Examples
    --------
    >>> from openalpha.strategy import load_strategy
    >>> cross = load_strategy("ma_cross")
    >>> space_of({"fast": "5:9:2", "slow": [50, 100]}, cross.Params, strategy="ma_cross").size
    6
    """
    if not grid:
        raise InputError(
            f"the grid is empty: name at least one parameter of {strategy} with its values, "
            f"such as {next(iter(params.model_fields), 'name')}=5:40:1"
        )
    known = {row.name: row for row in parameter_table(params)}
    for name in grid:
        if name not in known:
            build_params(params, {name: None}, strategy=strategy)  # says which names there are
    axes = tuple(_axis(known[name], given, strategy) for name, given in grid.items())
    for axis in axes:
        _check_values(axis, known[axis.name], strategy)
    return Space(axes)


def parse_axis(name: str, text: str, *, is_whole: bool) -> Axis:
    """Read `from:to:step`, `from:to` or a list with commas.

    Examples
    --------
    >>> parse_axis("fast", "5:9:2", is_whole=True).values
    (5, 7, 9)
    >>> parse_axis("width", "1.0:1.3:0.1", is_whole=False).values
    (1.0, 1.1, 1.2, 1.3)
    """
    parts = [part.strip() for part in text.split(":")]
    if len(parts) == 1:
        values = [part.strip() for part in text.split(",") if part.strip()]
        if not values:
            raise InputError(f"{name} has no value: write FROM:TO:STEP, FROM:TO, or a,b,c")
        return Axis(name, tuple(_plain(value) for value in values))
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = []
    if len(numbers) not in (2, 3) or not all(math.isfinite(number) for number in numbers):
        raise InputError(f"{name}={text}: write FROM:TO:STEP, FROM:TO, or values with commas")
    low, high = numbers[:2]
    if low > high:
        raise InputError(f"{name}={text}: {parts[0]} is above {parts[1]}; exchange them")
    if len(numbers) == 2:
        if not is_whole:
            return Axis(name, low=low, high=high)
        numbers.append(1.0)
    return Axis(name, _steps(name, text, (low, high, numbers[2]), is_whole=is_whole))


def _steps(
    name: str, text: str, span: tuple[float, float, float], *, is_whole: bool
) -> tuple[Any, ...]:
    low, high, step = span
    if step <= 0:
        raise InputError(f"{name}={text}: the step must be above 0")
    count = math.floor((high - low) / step + 1e-9) + 1
    if count > _MOST_VALUES:
        raise InputError(f"{name}={text} has {count:,} values; take a larger step")
    if is_whole and all(number == int(number) for number in span):
        return tuple(range(int(low), int(low) + count * int(step), int(step)))
    return tuple(round(low + k * step, 12) for k in range(count))


def _axis(info: ParameterInfo, given: Any, strategy: str) -> Axis:
    if isinstance(given, str):
        return parse_axis(info.name, given, is_whole=info.kind == "int")
    if isinstance(given, Sequence):
        values = tuple(item.item() if hasattr(item, "item") else item for item in given)
    elif hasattr(given, "tolist"):
        listed = given.tolist()
        values = tuple(listed) if isinstance(listed, list) else (listed,)
    else:
        values = (given,)
    if not values:
        raise InputError(f"strategy {strategy}: the grid has no value for {info.name}")
    return Axis(info.name, values)


def _check_values(axis: Axis, info: ParameterInfo, strategy: str) -> None:
    if axis.is_range and info.kind != "float":
        raise InputError(f"{axis.name} of {strategy} is no range of numbers; list its values")
    if not axis.is_range and not axis.values:
        raise InputError(f"strategy {strategy}: the grid has no value for {axis.name}")
    for value in (axis.low, axis.high) if axis.is_range else (axis.values[0], axis.values[-1]):
        low, high = info.low, info.high
        if not isinstance(value, int | float) or isinstance(value, bool):
            continue
        if (low is not None and value < low) or (high is not None and value > high):
            raise InputError(
                f"strategy {strategy}: {axis.name} is {value:g} in the grid, expected "
                f"{'' if low is None else f'{low:g}'} to {'' if high is None else f'{high:g}'}"
            )
    if len(set(map(repr, axis.values))) < len(axis.values):
        raise InputError(f"the grid gives {axis.name} a value twice; list each once")


def _plain(text: str) -> Any:
    """Read a typed value: a number, true or false, else text."""
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
