"""Compares what the engine found with what an example expects, exactly by value.

AUD figures are compared at the cent, or finer where the example prints more decimals. Where a
source prints whole dollars the example's note says so, and figures are rounded to dollars first.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from openalpha.books.tax.amounts import rounded

__all__ = ["Group", "Mismatch", "OneOf", "differences"]

Mismatch = str


@dataclass(frozen=True, slots=True)
class Group:
    """A figure with parts: `main` answers a plain number, `part` a name inside an object."""

    main: Any
    part: Callable[[str, Any], Any] | None = None


@dataclass(frozen=True, slots=True)
class OneOf:
    """A figure a source may print in either of several ways; each is named by what it is."""

    ways: Mapping[str, Any] = field(default_factory=dict)


def differences(
    name: str, found: Any, *, expected: Any, is_whole_dollars: bool = False
) -> list[Mismatch]:
    """List where a figure differs from what is expected; empty when it is equal by value.

    Parameters
    ----------
    name : str
        Name of the expectation, for the message.
    found : object
        Decimal, bool, text, list, mapping, `Group` or `OneOf`.
    expected : object
        As read from JSON.
    is_whole_dollars : bool
        Whether the source rounds to whole dollars.

    Examples
    --------
    >>> differences("gain", Decimal("7.500"), expected="7.5")
    []
    >>> differences("gain", Decimal("7.51"), expected="7.50")
    ['gain is 7.51, expected 7.50']
    """
    if isinstance(found, OneOf):
        return _one_of(name, found, expected, is_whole_dollars)
    if isinstance(found, Group):
        return _group(name, found, expected, is_whole_dollars)
    if isinstance(expected, Mapping):
        return _mapping(name, found, expected, is_whole_dollars)
    if isinstance(expected, Sequence) and not isinstance(expected, str):
        return _sequence(name, found, expected, is_whole_dollars)
    if _is_equal(found, expected, is_whole_dollars):
        return []
    return [f"{name} is {_shown(found)}, expected {_shown(expected)}"]


def _one_of(name: str, found: OneOf, expected: Any, is_whole: bool) -> list[Mismatch]:
    tries = [
        differences(name, value, expected=expected, is_whole_dollars=is_whole)
        for value in found.ways.values()
    ]
    if any(not mismatch for mismatch in tries):
        return []
    ways = ", ".join(f"{value} ({way})" for way, value in found.ways.items())
    return [f"{name} is {ways or 'nothing'}, expected {expected}"]


def _group(name: str, found: Group, expected: Any, is_whole: bool) -> list[Mismatch]:
    if not isinstance(expected, Mapping):
        return differences(name, found.main, expected=expected, is_whole_dollars=is_whole)
    if found.part is None:
        return [f"{name} has no parts, expected {dict(expected)}"]
    return [
        mismatch
        for key, value in expected.items()
        for mismatch in differences(
            f"{name}.{key}", found.part(key, value), expected=value, is_whole_dollars=is_whole
        )
    ]


def _mapping(name: str, found: Any, expected: Mapping[str, Any], is_whole: bool) -> list[Mismatch]:
    if not isinstance(found, Mapping):
        return [f"{name} is {_shown(found)}, expected {dict(expected)}"]
    mismatches = []
    for key, value in expected.items():
        if key not in found:
            mismatches.append(f"{name}.{key} is not among {', '.join(map(str, found))}")
        else:
            mismatches += differences(
                f"{name}.{key}", found[key], expected=value, is_whole_dollars=is_whole
            )
    return mismatches


def _sequence(name: str, found: Any, expected: Sequence[Any], is_whole: bool) -> list[Mismatch]:
    if not isinstance(found, Sequence) or isinstance(found, str):
        return [f"{name} is {_shown(found)}, expected a list"]
    if len(found) != len(expected):
        return [f"{name} has {len(found)} rows ({_shown(found)}), expected {len(expected)}"]
    return [
        mismatch
        for index, value in enumerate(expected)
        for mismatch in differences(
            f"{name}[{index}]", found[index], expected=value, is_whole_dollars=is_whole
        )
    ]


def _is_equal(found: Any, expected: Any, is_whole: bool) -> bool:
    if isinstance(found, bool) or isinstance(expected, bool):
        return found is expected
    if found is None or expected is None:
        return found is None and expected is None
    if not isinstance(found, Decimal):
        return str(found) == str(expected)
    wanted = _number(expected)
    if wanted is None:
        return False
    exponent = wanted.as_tuple().exponent
    decimals = -exponent if isinstance(exponent, int) else 0
    quantum = Decimal(1) if is_whole else Decimal(1).scaleb(-max(2, decimals))
    return rounded(found, quantum) == wanted


def _number(value: Any) -> Decimal | None:
    if isinstance(value, float):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _shown(value: Any) -> str:
    if isinstance(value, Decimal):
        cents = rounded(value)
        exact = value.normalize()
        return f"{cents if cents == value else exact:f}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_shown(item) for item in value) + "]"
    return str(value)
