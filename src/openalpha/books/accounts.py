"""The chart of accounts: whose books, and which account in them a posting changes."""

from enum import IntEnum
from typing import NamedTuple

from openalpha.core.errors import InputError
from openalpha.core.messages import EffectKind, Environment

__all__ = ["Account", "Book", "Category", "contra_of", "environment_of", "position_coin"]


class Category(IntEnum):
    """What a balance means. The numbers are stored: never renumber.

    CASH is what a venue account holds of a coin; POSITION counts contracts, with the instrument
    standing for the coin; COST is what they cost, so that value minus cost is unrealised profit.
    All others say where it came from or went to, with the opposite sign: a fee of 5 paid is CASH -5
    and FEE +5, a profit of 7 is CASH +7 and REALISED -7.
    """

    CASH = 0
    POSITION = 1
    COST = 2
    CLEARING = 3
    TRANSFER = 10
    FEE = 11
    REALISED = 12
    FUNDING = 13
    TRADING = 14
    LIQUIDATION_FEE = 15
    INSURANCE = 16
    INTEREST = 17
    REWARD = 18
    ADJUSTMENT = 19


_CONTRA: dict[EffectKind, Category] = {
    EffectKind.TRANSFER: Category.TRANSFER,
    EffectKind.FEE: Category.FEE,
    EffectKind.REALISED_PNL: Category.REALISED,
    EffectKind.FUNDING: Category.FUNDING,
    EffectKind.TRADE: Category.TRADING,
    EffectKind.LIQUIDATION_FEE: Category.LIQUIDATION_FEE,
    EffectKind.INSURANCE: Category.INSURANCE,
    EffectKind.INTEREST: Category.INTEREST,
    EffectKind.REWARD: Category.REWARD,
    EffectKind.ADJUSTMENT: Category.ADJUSTMENT,
}


class Book(NamedTuple):
    """One set of books: what is in different environments or entities never mixes.

    Parameters
    ----------
    environment : Environment
    entity : str
        Whose money it is: `me`, a trust, a company.
    """

    environment: Environment
    entity: str

    def __str__(self) -> str:
        return f"{self.environment.name.lower()}/{self.entity}"


class Account(NamedTuple):
    """One account of a book.

    Parameters
    ----------
    venue : str
        The venue account: `bybit:main`; a run's id for a backtest.
    category : Category
    coin : str
        What is counted: a coin, or an instrument's id where it counts contracts.
    instrument : str
        What it arose from; empty for cash and what belongs to no instrument.
    """

    venue: str
    category: Category
    coin: str
    instrument: str = ""

    def __str__(self) -> str:
        of = f" of {self.instrument}" if self.instrument and self.instrument != self.coin else ""
        return f"{self.venue} {self.category.name.lower()} {self.coin}{of}"


def contra_of(kind: EffectKind) -> Category:
    """Return the account that stands against cash for a kind of effect.

    Examples
    --------
    >>> contra_of(EffectKind.FEE).name
    'FEE'
    """
    return _CONTRA[kind]


def position_coin(instrument: str, leg: int) -> str:
    """Return the name a position is counted under: the short leg of hedge mode has its own.

    Examples
    --------
    >>> position_coin("bybit_linear:BTCUSDT", 1)
    'bybit_linear:BTCUSDT/short'
    """
    return f"{instrument}/short" if leg else instrument


def environment_of(name: str) -> Environment:
    """Return the environment of that name.

    Raises
    ------
    InputError
        If there is none.

    Examples
    --------
    >>> environment_of("paper")
    <Environment.PAPER: 1>
    """
    try:
        return Environment[name.upper()]
    except KeyError:
        known = ", ".join(item.name.lower() for item in Environment)
        raise InputError(f"'{name}' is not an environment; expected one of {known}") from None
