"""What the settings groups declare, read from their dataclasses: keys, types, units, bounds."""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_type_hints

from openalpha.settings.groups import Settings

__all__ = ["Key", "group_keys", "keys_of", "plain"]


@dataclass(frozen=True, slots=True)
class Key:
    """One setting: its dotted name and what its package declares about it."""

    group: str
    name: str
    type_hint: Any
    default: Any
    metadata: Mapping[str, Any]

    @property
    def dotted(self) -> str:
        """The name as in the TOML file and in `--set`."""
        return f"{self.group}.{self.name}"

    @property
    def is_secret(self) -> bool:
        """Whether the value must never be shown or stored in a run record."""
        return "SecretStr" in str(self.type_hint)


def keys_of(group: str, cls: type) -> Mapping[str, Key]:
    """Return the keys of one settings dataclass by field name, in order of declaration."""
    return _keys_of(group, cls)


@cache
def _keys_of(group: str, cls: Any) -> Mapping[str, Key]:
    assert is_dataclass(cls), f"settings group {group} must be a dataclass"
    hints = get_type_hints(cls)
    keys = {}
    for item in fields(cls):
        default = item.default
        if default is MISSING:
            assert item.default_factory is not MISSING, f"{group}.{item.name} needs a default"
            default = item.default_factory()
        keys[item.name] = Key(group, item.name, hints[item.name], default, item.metadata)
    return MappingProxyType(keys)


@cache
def group_keys() -> dict[str, Mapping[str, Key]]:
    """Return every key of the program: group name -> field name -> key."""
    hints = get_type_hints(Settings)
    return {item.name: keys_of(item.name, hints[item.name]) for item in fields(Settings)}


def plain(value: Any) -> Any:
    """Return a setting's value as TOML and JSON can hold it; a secret is masked."""
    if hasattr(value, "get_secret_value"):
        return "********" if value.get_secret_value() else ""
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: plain(getattr(value, item.name)) for item in fields(value)}
    return value
