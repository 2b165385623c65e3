"""What an emergency stop may sell on spot: what this installation bought, or all if it is told so.

The trader keeps a small file of what its sub-books bought, so that a stop needs no database. Coins
that were there before, or were deposited, are nobody's to sell unless a person says so.
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal, InvalidOperation
from pathlib import Path

from openalpha.store.atomic import write_bytes
from openalpha.trading.safety.emergency_lock import safety_folder
from openalpha.venue.bybit.client import BybitClient
from openalpha.venue.bybit.rows import TradingRules

__all__ = ["Bought", "Purchases", "Sales", "keep_bought", "read_bought", "sales_of"]

_FILE = "bought.json"
_QUOTES = ("USDT", "USDC")
_ZERO = Decimal(0)


class Sales:
    """What is to be sold, symbol by symbol, and what will not be, in words."""

    def __init__(self) -> None:
        self.qty: dict[str, Decimal] = {}
        self.left: list[str] = []


@dataclass(frozen=True, slots=True)
class Bought:
    """What was kept of the spot purchases.

    Parameters
    ----------
    qty : mapping of symbol to Decimal
    mark : str
        Names this very state of the file; a sale of it bears the name, so that it is made once.
    trouble : str
        Why it cannot be read; empty when it can.
    """

    qty: Mapping[str, Decimal]
    mark: str = ""
    trouble: str = ""


def keep_bought(home: Path, environment: str, *, bought: Mapping[str, Decimal]) -> str:
    """Keep what the sub-books of an environment hold on spot: symbol to quantity, all of it.

    Returns
    -------
    str
        The mark of what was kept (`Bought.mark`).

    Raises
    ------
    StorageError
        If the disk refuses; the old file stands.
    """
    qty = {symbol: str(qty) for symbol, qty in bought.items() if qty > 0}
    path = safety_folder(home, environment) / _FILE
    mark = secrets.token_hex(8)
    write_bytes(path, json.dumps({"mark": mark, "qty": qty}).encode())
    return mark


def read_bought(home: Path, environment: str) -> Bought:
    """Return what was kept. Never raises: a stop goes on."""
    path = safety_folder(home, environment) / _FILE
    try:
        rows = json.loads(path.read_bytes())
        bought = {str(symbol): Decimal(str(qty)) for symbol, qty in rows["qty"].items()}
        mark = str(rows["mark"])
    except FileNotFoundError:
        return Bought({})
    except (OSError, ValueError, AttributeError, KeyError, TypeError, InvalidOperation):
        words = f"{path} cannot be read, so no coin was sold; sell by hand what was bought"
        return Bought({}, trouble=words)
    known = {symbol: qty for symbol, qty in bought.items() if qty.is_finite() and qty > 0}
    return Bought(known, mark)


class Purchases:
    """What one run's sub-books hold on spot, kept beside what earlier runs bought and left.

    Parameters
    ----------
    home : Path
    environment : str
    held : mapping of symbol to Decimal
        What the run holds as it starts or goes on.
    """

    def __init__(self, home: Path, environment: str, held: Mapping[str, Decimal]) -> None:
        self._home, self._environment = home, environment
        before = read_bought(home, environment).qty
        self._left = {name: max(qty - held.get(name, _ZERO), _ZERO) for name, qty in before.items()}
        self._held = dict(held)

    def keep(self, held: Mapping[str, Decimal]) -> None:
        """Keep what the run holds now.

        Raises
        ------
        StorageError
            If the disk refuses; the old file stands.
        """
        if dict(held) == self._held:
            return
        self._held = dict(held)
        names = {*self._left, *held}
        total = {name: self._left.get(name, _ZERO) + held.get(name, _ZERO) for name in names}
        keep_bought(self._home, self._environment, bought=total)


def sales_of(
    client: BybitClient, bought: Mapping[str, Decimal], *, include_holdings: bool = False
) -> Sales:
    """Work out what can be sold now: never more than the account has, whole lots, one order each.

    Parameters
    ----------
    bought : mapping of symbol to quantity
    include_holdings : bool
        Every coin of the account that has a market against a dollar coin, whoever bought it.

    Raises
    ------
    VenueUnavailable, VenueRefused
        If wallet or rules cannot be read.
    """
    sales = Sales()
    if not bought and not include_holdings:
        return sales
    wallet = {coin.coin: coin.wallet for coin in client.account.wallet().coins}
    rules = {one.symbol: one for one in client.market.rules("spot")}
    wanted = dict(bought)
    if include_holdings:
        wanted = _everything(wallet, rules, sales)
    for symbol, qty in wanted.items():
        one = rules.get(symbol)
        if one is None:
            sales.left.append(f"spot {symbol}: the venue has no such market")
            continue
        _add(sales, one, min(qty, wallet.get(one.base, _ZERO)))
    return sales


def _everything(
    wallet: Mapping[str, Decimal], rules: Mapping[str, TradingRules], sales: Sales
) -> dict[str, Decimal]:
    wanted = {}
    for coin, qty in wallet.items():
        if qty <= 0 or coin in _QUOTES:
            continue
        symbol = next((coin + quote for quote in _QUOTES if coin + quote in rules), "")
        if symbol:
            wanted[symbol] = qty
        else:
            sales.left.append(f"{coin}: there is no market to sell it for a dollar coin")
    return wanted


def _add(sales: Sales, rules: TradingRules, qty: Decimal) -> None:
    most = rules.max_market_qty or qty
    lots = (min(qty, most) / rules.lot_size).to_integral_value(ROUND_DOWN)
    whole = lots * rules.lot_size
    # What is below the least order stays as dust; it is no failure of the stop.
    if whole > 0 and whole >= rules.min_qty:
        sales.qty[rules.symbol] = whole
