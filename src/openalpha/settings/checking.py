"""Checks values against the settings groups; all faults are collected and come in one message."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar

from openalpha.core.errors import ConfigError, InputError
from openalpha.settings.schema import Key, keys_of

__all__ = ["Given", "Source", "build_checked", "build_group", "nearest", "raise_faults"]

_Group = TypeVar("_Group")


class Source(StrEnum):
    """Where the value of a setting came from."""

    DEFAULT = "default"
    FILE = "file"
    ENVIRONMENT = "environment"
    OPTION = "--set"


@dataclass(frozen=True, slots=True)
class Given:
    """One value somebody gave, before it is checked.

    `text` is how it was written where everything is text (environment, `--set`): there `12`
    may also be meant as a name.
    """

    dotted: str
    value: Any
    source: Source
    where: str
    text: str | None = None


def build_group(cls: type[_Group], name: str, values: Mapping[str, Any]) -> _Group:
    """Return one settings group from a mapping given in Python, checked as the TOML would be.

    Parameters
    ----------
    cls : type
        The group's frozen dataclass.
    name : str
        The group's name, for messages: `costs`.
    values : mapping of str to object
        Field name to value; what is absent keeps its default.

    Raises
    ------
    ConfigError
        If a key is unknown or a value is of the wrong type or out of range; all in one message.
    """
    faults: list[str] = []
    keys = keys_of(name, cls)
    given = {}
    for field_name, value in values.items():
        dotted = f"{name}.{field_name}"
        if field_name in keys:
            given[field_name] = Given(dotted, value, Source.OPTION, dotted)
        else:
            known = [key.dotted for key in keys.values()]
            faults.append(f"{dotted} is not a setting{nearest(dotted, known)}")
    group = build_checked(cls, keys, given=given, faults=faults)
    raise_faults(faults)
    assert isinstance(group, cls)
    return group


def raise_faults(faults: Sequence[str]) -> None:
    """Raise one ConfigError that lists every fault; return when there is none."""
    if len(faults) == 1:
        raise ConfigError(faults[0])
    if faults:
        lines = "\n".join(f"  {fault}" for fault in faults)
        raise ConfigError(f"{len(faults)} settings cannot be used:\n{lines}")


def nearest(dotted: str, every: Sequence[str]) -> str:
    """Return " (did you mean KEY?)" with the valid key nearest to `dotted`, or nothing."""
    matches = get_close_matches(dotted, every, n=1, cutoff=0.5)
    if not matches:
        same_name = [key for key in every if key.rpartition(".")[2] == dotted.rpartition(".")[2]]
        matches = same_name[:1]
    return f" (did you mean {matches[0]}?)" if matches else ""


def build_checked(
    cls: type, keys: Mapping[str, Key], *, given: Mapping[str, Given], faults: list[str]
) -> Any:
    """Construct a group from what was given; a fault leaves the default in place for now."""
    values = {}
    for name, item in given.items():
        try:
            values[name] = _checked(keys[name], item)
        except ValueError as fault:
            faults.append(f"{item.where}: {item.dotted} {fault}")
    try:
        return cls(**values)
    except InputError as error:
        faults.append(error.message)
    return cls()


def _checked(key: Key, item: Given) -> Any:
    """Return the value in the key's type, or raise ValueError with the rest of a sentence."""
    try:
        checked = _typed(key, item.value)
    except ValueError:
        if item.text is None or item.text == item.value:
            raise
        checked = _typed_text(key, item)
    unit = f" {key.metadata['unit']}" if key.metadata.get("unit") else ""
    choices = key.metadata.get("choices")
    if choices and checked not in choices:
        raise ValueError(f"was {item.value}, expected one of {', '.join(map(str, choices))}")
    low, high = key.metadata.get("min"), key.metadata.get("max")
    if checked is not None and low is not None and checked < low:
        raise ValueError(f"was {item.value}, expected at least {low}{unit}")
    if checked is not None and high is not None and checked > high:
        raise ValueError(f"was {item.value}, expected at most {high}{unit}")
    return checked


def _typed_text(key: Key, item: Given) -> Any:
    try:
        return _typed(key, item.text)
    except ValueError:
        return _typed(key, item.value)  # its complaint is the one to show


def _typed(key: Key, value: Any) -> Any:
    # Imported here: with nothing set, nothing needs checking and start-up stays quick.
    from pydantic import ValidationError

    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"was {value}, expected a finite number")
    try:
        # Strict JSON rules: no silent "5" -> 5 or 1 -> true, but lists become tuples and
        # texts become paths, as a file needs.
        text = json.dumps(value, default=str)
        return _adapter(key.type_hint).validate_json(text, strict=True)
    except ValidationError as error:
        said = error.errors(include_url=False, include_input=False)[0]["msg"]
        shown = "a secret" if key.is_secret else json.dumps(value, default=str)
        raise ValueError(f"was {shown}, {said[0].lower()}{said[1:]}") from None


@cache
def _adapter(type_hint: Any) -> Any:
    """Return what checks values of a type; making one takes longer than using it."""
    from pydantic import TypeAdapter

    return TypeAdapter(type_hint)
