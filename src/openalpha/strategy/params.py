"""Typed strategy parameters: each with a range, a unit and a sentence that a form can show."""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import PydanticUndefined

from openalpha.core.errors import InputError

__all__ = [
    "ExitParams",
    "Exits",
    "Param",
    "ParameterInfo",
    "StrategyParams",
    "build_params",
    "parameter_table",
]

_Params = TypeVar("_Params", bound="StrategyParams")
_MILLION = 1_000_000
_PERCENT_E6 = 10_000


@dataclass(frozen=True, slots=True)
class Exits:
    """How a position ends on its own, declared once for every entry of a strategy.

    Distances are fractions of the entry price in millionths (30_000 is 3 %); 0 means none.

    Parameters
    ----------
    stop_e6, take_profit_e6 : int
        Distance against and in favour of the position.
    trailing_e6 : int
        Distance behind the best price since the trailing stop became active.
    activation_e6 : int
        Profit at which the trailing stop becomes active; 0: from the entry.
    time_exit_bars : int
        Longest time a position is held, in bars.
    """

    stop_e6: int = 0
    take_profit_e6: int = 0
    trailing_e6: int = 0
    activation_e6: int = 0
    time_exit_bars: int = 0

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            if value < 0:
                raise InputError(f"exit {name} is {value}; 0 means none, otherwise it is positive")
        for name in ("stop_e6", "trailing_e6"):
            if getattr(self, name) >= _MILLION:
                raise InputError(f"exit {name} is {getattr(self, name)}, a stop 100 % away or more")
        if self.activation_e6 and not self.trailing_e6:
            raise InputError("exit activation_e6 needs trailing_e6: it says when trailing begins")

    @property
    def is_none(self) -> bool:
        """Whether nothing is declared: positions end by the strategy's own targets only."""
        return self == Exits()


def Param(  # noqa: N802 - it declares a field of a class, as pydantic's Field does
    default: Any,
    *,
    ge: float | None = None,
    le: float | None = None,
    unit: str = "",
    help: str = "",
) -> Any:
    """Declare one parameter of a strategy.

    Parameters
    ----------
    default : object
        The value used when nobody gives one; it must lie within the range.
    ge, le : float, optional
        Lowest and highest value allowed; a search samples between them.
    unit : str
        `bars`, `%`, `bps`, ...; empty for names, switches and plain numbers.
    help : str
        What it means, one sentence.

    Examples
    --------
    >>> class Params(StrategyParams):
    ...     lookback: int = Param(20, ge=2, le=500, unit="bars", help="Bars looked back.")
    >>> Params(lookback=50).lookback
    50
    """
    return Field(default, ge=ge, le=le, description=help, json_schema_extra={"unit": unit})


class StrategyParams(BaseModel):
    """Base of every strategy's parameters: frozen, checked, no unknown names, no infinities."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True
    )

    def exits(self) -> Exits:
        """Return the declared exits; none unless `ExitParams` or a subclass declares them."""
        return Exits()


class ExitParams(StrategyParams):
    """The exits every built-in strategy offers as parameters; 0 means none."""

    stop_pct: float = Param(0.0, ge=0, le=90, unit="%", help="Stop-loss distance from the entry.")
    take_profit_pct: float = Param(
        0.0, ge=0, le=1000, unit="%", help="Take-profit distance from the entry."
    )
    trailing_pct: float = Param(
        0.0, ge=0, le=90, unit="%", help="Trailing stop: distance behind the best price."
    )
    activation_pct: float = Param(
        0.0, ge=0, le=1000, unit="%", help="Profit at which the trailing stop becomes active."
    )
    time_exit_bars: int = Param(
        0, ge=0, le=1_000_000, unit="bars", help="Longest time a position is held."
    )

    def exits(self) -> Exits:
        """Return the exits these parameters describe."""
        return Exits(
            stop_e6=round(self.stop_pct * _PERCENT_E6),
            take_profit_e6=round(self.take_profit_pct * _PERCENT_E6),
            trailing_e6=round(self.trailing_pct * _PERCENT_E6),
            activation_e6=round(self.activation_pct * _PERCENT_E6) if self.trailing_pct else 0,
            time_exit_bars=self.time_exit_bars,
        )


@dataclass(frozen=True, slots=True)
class ParameterInfo:
    """What one parameter declares about itself."""

    name: str
    kind: str
    default: Any
    low: float | None
    high: float | None
    choices: tuple[str, ...]
    unit: str
    help: str


def parameter_table(params: type[StrategyParams]) -> tuple[ParameterInfo, ...]:
    """Return what a parameter class declares, its own fields first, the shared exits last.

    Examples
    --------
    >>> [row.name for row in parameter_table(ExitParams)][:2]
    ['stop_pct', 'take_profit_pct']
    """
    shared = set(ExitParams.model_fields)
    names = [name for name in params.model_fields if name not in shared]
    names += [name for name in params.model_fields if name in shared]
    return tuple(_info(name, params) for name in names)


def _info(name: str, params: type[StrategyParams]) -> ParameterInfo:
    field = params.model_fields[name]
    hint = field.annotation
    is_choice = get_origin(hint) is Literal
    low = next((item.ge for item in field.metadata if hasattr(item, "ge")), None)
    high = next((item.le for item in field.metadata if hasattr(item, "le")), None)
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    return ParameterInfo(
        name=name,
        kind="choice" if is_choice else getattr(hint, "__name__", str(hint)),
        default=None if field.default is PydanticUndefined else field.default,
        low=low,
        high=high,
        choices=tuple(str(item) for item in get_args(hint)) if is_choice else (),
        unit=str(extra.get("unit", "")),
        help=field.description or "",
    )


def build_params(cls: type[_Params], values: Mapping[str, Any], *, strategy: str) -> _Params:
    """Return checked parameters from a mapping; texts such as "10" are read as numbers.

    Parameters
    ----------
    cls : type
        The strategy's `Params`.
    values : mapping of str to object
        What the user gave; the rest keeps its default.
    strategy : str
        The strategy's name, for the message.

    Raises
    ------
    InputError
        If a name is unknown or a value out of range; every fault in the one message.

    Examples
    --------
    >>> build_params(ExitParams, {"stop_pct": "3"}, strategy="any").exits().stop_e6
    30000
    """
    try:
        return cls.model_validate(dict(values))
    except ValidationError as error:
        faults = "; ".join(_fault(cls, item) for item in error.errors())
    raise InputError(f"strategy {strategy}: {faults}")


def _fault(cls: type[StrategyParams], item: Any) -> str:
    name = ".".join(str(part) for part in item["loc"])
    if item["type"] == "extra_forbidden":
        near = get_close_matches(name, cls.model_fields, n=1)
        known = f"did you mean '{near[0]}'?" if near else f"it has {', '.join(cls.model_fields)}"
        return f"there is no parameter '{name}'; {known}"
    message = str(item["msg"]).removeprefix("Value error, ")
    if not name:
        return message
    expected = message.removeprefix("Input should be ").rstrip(".")
    return f"{name} is {item['input']!r}, expected {expected}"
