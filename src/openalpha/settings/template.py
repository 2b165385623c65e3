"""Writes the commented TOML that `openalpha config init` leaves in a new home."""

import json
from decimal import Decimal
from typing import Any

from openalpha.settings.schema import Key, group_keys, plain

__all__ = ["render_template"]

_HEAD = """\
# Settings of OpenAlpha. Every key stands here with its default, commented out:
# remove the `#` to change one. Overruled by OPENALPHA_GROUP__KEY variables and by --set.
"""


def render_template() -> str:
    """Return the TOML text: every group and key with meaning, unit, bounds and default.

    Examples
    --------
    >>> render_template().splitlines()[0]
    '# Settings of OpenAlpha. Every key stands here with its default, commented out:'
    """
    parts = [_HEAD]
    for group, keys in group_keys().items():
        shown = [key for key in keys.values() if not key.metadata.get("outside_file")]
        if shown:
            parts.append(f"\n[{group}]\n" + "".join(_lines(key) for key in shown))
    return "".join(parts)


def _lines(key: Key) -> str:
    facts = [str(key.metadata.get("help", "")).rstrip(".")]
    if key.metadata.get("unit"):
        facts.append(f"unit: {key.metadata['unit']}")
    if key.metadata.get("choices"):
        facts.append(f"one of {', '.join(map(str, key.metadata['choices']))}")
    low, high = key.metadata.get("min"), key.metadata.get("max")
    if low is not None or high is not None:
        facts.append(f"from {'-' if low is None else low} to {'-' if high is None else high}")
    default = plain(key.default)
    value = "" if default is None else _toml(default)
    absent = "  (unset by default)" if default is None else ""
    return f"# {'; '.join(facts)}{absent}\n# {key.name} = {value}\n".replace(" = \n", " =\n")


def _toml(value: Any) -> str:
    if isinstance(value, bool | int | str | list):
        return json.dumps(value, ensure_ascii=False)
    return str(value) if isinstance(value, Decimal) else repr(value)
