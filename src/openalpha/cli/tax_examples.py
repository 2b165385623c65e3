"""Reads files of worked examples for the commands that check and explain them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from openalpha.core.errors import InputError, StorageError

__all__ = ["chosen_example", "read_examples"]


def read_examples(file: Path) -> list[Any]:
    """Read a JSON list of worked examples.

    Raises
    ------
    InputError
        If the file is not there or is no such list.
    StorageError
        If it cannot be read.
    """
    try:
        text = file.read_text("utf-8")
    except FileNotFoundError as error:
        raise InputError(f"there is no file {file}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{file} is not UTF-8 text") from error
    except OSError as error:
        raise StorageError(f"{file} cannot be read: {error.strerror}") from error
    try:
        found = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise InputError(f"{file} is not JSON: {error}") from error
    if not isinstance(found, list):
        raise InputError(f"{file} must hold a JSON list of examples, not {type(found).__name__}")
    return found


def chosen_example(examples: list[Any], name: str | None, file: Path) -> Mapping[str, Any]:
    """Return the example of a name, or the only one of the file.

    Raises
    ------
    InputError
        If there is none of that name, or several and none is named.
    """
    rows = [row for row in examples if isinstance(row, Mapping)]
    if name is None and len(rows) == 1:
        return rows[0]
    for row in rows:
        if row.get("id") == name:
            return row
    if name is None:
        raise InputError(f"{file} holds {len(rows)} examples: name one with --example ID")
    raise InputError(f"{file} holds no example {name!r}")
