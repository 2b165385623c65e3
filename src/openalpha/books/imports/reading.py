"""Finds out what a file is by its header, and reads it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC
from pathlib import Path
from typing import NamedTuple

from openalpha.books.imports import (
    australian,
    binance,
    bybit_changes,
    bybit_trades,
    coinbase,
    generic,
    kraken,
    kucoin,
    okx,
)
from openalpha.books.imports.cells import named_zone, read_sheet
from openalpha.books.imports.families import Family
from openalpha.books.imports.records import Record, keyed
from openalpha.books.tax.amounts import exact

__all__ = ["FAMILIES", "ReadFile", "read_export"]

FAMILIES: tuple[Family, ...] = (
    bybit_trades.SPOT,
    bybit_trades.DERIVATIVES,
    bybit_trades.CLOSED_PNL,
    bybit_changes.UNIFIED,
    bybit_changes.FUNDING,
    bybit_changes.TRANSFERS,
    binance.HISTORY,
    binance.TRADES,
    coinbase.HISTORY,
    kraken.LEDGERS,
    kraken.TRADES,
    okx.TRADING,
    okx.FUNDING,
    kucoin.FILLS,
    kucoin.ORDERS,
    kucoin.DEPOSITS,
    kucoin.WITHDRAWALS,
    kucoin.CONVERSIONS,
    australian.BTC_MARKETS,
    australian.BTC_MARKETS_TRADES,
    australian.SWYFTX,
    generic.GENERIC,
)
"""Every kind of file that is known, each by columns no other has."""


class ReadFile(NamedTuple):
    """What a file held.

    Parameters
    ----------
    family : str
    records : list of Record
    rows : int
        Lines below the header that are not empty.
    zone : str
        In which times without a zone were read; '' where the file names its own.
    """

    family: str
    records: list[Record]
    rows: int
    zone: str


def read_export(path: Path, *, zone: str = "", families: Sequence[Family] = FAMILIES) -> ReadFile:
    """Read an export, its kind told by its header.

    Parameters
    ----------
    path : Path
    zone : str
        For times whose zone neither the file nor its columns name: Australia/Sydney, UTC+8; '' for
        the one the venue is known to write.
    families : sequence of Family
        The kinds it may be.

    Raises
    ------
    InputError
        If the file cannot be read, is of no kind that is known, or there is no such zone.
    """

    def family_of(header: tuple[str, ...]) -> Family | None:
        return next((family for family in families if family.matches(header)), None)

    sheet = read_sheet(path, zone=UTC, is_header=lambda header: family_of(header) is not None)
    family = family_of(sheet.header)
    assert family is not None
    name = zone or family.zone
    if not sheet.stated_zone:
        sheet = replace(sheet, zone=named_zone(name))
    with exact():
        records = keyed(family.read(sheet))
    return ReadFile(family.name, records, len(sheet.rows), name if sheet.is_bare else "")
