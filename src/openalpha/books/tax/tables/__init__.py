"""Dated rates, thresholds and index numbers as data files, and the one place that reads them.

A new year is a new row in a file here; the engine itself touches no file.
"""

import tomllib
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any

from openalpha.books.tax.gains import BoundaryValue, Law
from openalpha.books.tax.indexation import Cpi
from openalpha.books.tax.rates import Lito, Rate, Scale, Tables
from openalpha.core.errors import InputError

__all__ = ["known_law", "load_tables"]


@cache
def load_tables() -> Tables:
    """Read the tables that ship with the program.

    Raises
    ------
    InputError
        If a file is not of the shape its schema names; the message says which.

    Examples
    --------
    >>> load_tables().income_tax(Decimal(135000), 2026)
    Decimal('31288.00')
    """
    scales = tuple(_scale(row) for row in _read("individual_rates")["scales"])
    rates = tuple(_rate(row) for row in _read("entity_rates")["rows"])
    lito = _read("lito")
    numbers = {quarter: Decimal(text) for quarter, text in _read("cpi")["numbers"].items()}
    return Tables(
        scales, rates, Lito(Decimal(lito["maximum"]), _pairs(lito["steps"])), Cpi(numbers)
    )


def known_law(boundary: Mapping[str, BoundaryValue] | None = None) -> Law:
    """Return the law with the index numbers that ship.

    Parameters
    ----------
    boundary : mapping of str to BoundaryValue, or None
        What a unit of each asset was worth on 30 June 2027, where that is known.
    """
    return Law(boundary=dict(boundary or {}), cpi=load_tables().cpi)


def _read(name: str) -> dict[str, Any]:
    text = (files(__package__) / f"{name}.toml").read_text("utf-8")
    found = tomllib.loads(text)
    if found.get("schema") != f"openalpha.tax.{name}/1":
        raise InputError(f"tables/{name}.toml is not a table of this version")
    return found


def _scale(row: dict[str, Any]) -> Scale:
    return Scale(int(row["from_year"]), _pairs(row["bands"]), row["source"], row["mark"])


def _rate(row: dict[str, Any]) -> Rate:
    value = Decimal(row["value"])
    return Rate(row["name"], int(row["from_year"]), value, row["source"], row["mark"])


def _pairs(rows: list[list[str]]) -> tuple[tuple[Decimal, Decimal], ...]:
    return tuple((Decimal(lower), Decimal(rate)) for lower, rate in rows)
