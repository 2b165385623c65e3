"""One wallet over several machines: what an account has, and coins moved to where they serve.

A coin can be a balance of the spot markets of one machine and the settle coin of another. To the
account it is one balance: before an order that needs it, what is free of it is moved to the machine
the order goes to. Such a move is no entry of the transaction log; the sum never changes.
"""

from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter
from typing import Any

from openalpha.venue.kernel import book_account as told
from openalpha.venue.twin.accounts import Account
from openalpha.venue.twin.listings import CASH, Listing, Pool
from openalpha.venue.twin.numbers import plain
from openalpha.venue.twin.state import State

__all__ = ["gather_coins", "wallet_row"]


def gather_coins(state: State, account: int, *, listing: Listing, side: int) -> None:
    """Move what is free of the coin an order needs to the machine of its market."""
    pool = listing.pool
    if listing.is_spot:
        coin = listing.instrument.base if side < 0 else pool.settle
    else:
        coin = pool.settle
    for other in state.pools:
        if other is pool or other.coin_number(coin) is None:
            continue
        amount = _free(state, other, account, coin=coin)
        if amount > 0:
            _move(state, account, coin, source=other, target=pool, amount=amount)


def _free(state: State, pool: Pool, account: int, *, coin: str) -> int:
    """Return what of a coin nothing in a machine needs."""
    number = pool.coin_number(coin)
    assert number is not None, "asked of pools that have the coin"
    if number == 0:
        shown = pool.machine.state(account)
        return max(0, min(int(shown[told.S_FREE]), pool.machine.balances(account)[0]))
    return max(0, pool.machine.balances(account)[number] - _locked(state, account, coin))


def _locked(state: State, account: int, coin: str) -> int:
    """Return what of a coin rests in sell orders of spot markets."""
    record, locked = state.records[account], 0
    for name in record.open_ids:
        order = record.orders[name]
        if order.side < 0 and order.listing.startswith("spot:"):
            listing = state.listings[order.listing]
            locked += order.leaves if listing.instrument.base == coin else 0
    return locked


def _move(
    state: State, account: int, coin: str, *, source: Pool, target: Pool, amount: int
) -> None:
    """Move a coin between machines without a trace in the account's history."""
    for pool, signed in ((source, -amount), (target, amount)):
        number = pool.coin_number(coin)
        assert number is not None, "both machines have the coin"
        pool.machine.transfer(account, number, state.now_ms, signed)
        pool.machine.drain()


@dataclass(slots=True)
class _Coin:
    """What an account has of a coin over all machines, in cash units; `usd` is its value."""

    wallet: int = 0
    upl: int = 0
    order_im: int = 0
    position_im: int = 0
    position_mm: int = 0
    free: int = 0
    locked: int = 0
    usd: int = 0


_parts_of = attrgetter(*_Coin.__dataclass_fields__)


@dataclass(slots=True)
class _Sums:
    """What an account has of all coins, in dollars."""

    equity: int = 0
    wallet: int = 0
    upl: int = 0
    initial: int = 0
    maintenance: int = 0
    free: int = 0
    backing: int = 0


def wallet_row(state: State, account: Account) -> dict[str, Any]:
    """Return an account's wallet; sums are in dollars, at the index prices of the twin.

    The rows of its coins are not the caller's to change: an unchanged coin has the same row again.
    """
    coins: dict[str, _Coin] = {}
    sums = _Sums()
    for pool in state.pools:
        _add_pool(state, account, pool, coins=coins, sums=sums)
    initial_rate = _rate(sums.initial, sums.backing)
    maintenance_rate = _rate(sums.maintenance, sums.backing)
    initial, maintenance = plain(sums.initial, CASH), plain(sums.maintenance, CASH)
    settles = {pool.settle for pool in state.pools}
    return {
        "accountType": "UNIFIED",
        "accountIMRate": initial_rate,
        "accountMMRate": maintenance_rate,
        "accountIMRateByMp": initial_rate,
        "accountMMRateByMp": maintenance_rate,
        "accountLTV": "0",
        "totalEquity": plain(sums.equity, CASH),
        "totalWalletBalance": plain(sums.wallet, CASH),
        "totalMarginBalance": plain(sums.wallet + sums.upl, CASH),
        "totalAvailableBalance": plain(max(sums.free, 0), CASH),
        "totalPerpUPL": plain(sums.upl, CASH),
        "totalInitialMargin": initial,
        "totalMaintenanceMargin": maintenance,
        "totalInitialMarginByMp": initial,
        "totalMaintenanceMarginByMp": maintenance,
        "coin": [_coin_row(name, name in settles, *_parts_of(one)) for name, one in coins.items()],
    }


def _rate(over: int, under: int) -> str:
    if under <= 0:
        return "0"
    return plain(over * 10**4 // under, 4)


def _add_pool(
    state: State, account: Account, pool: Pool, *, coins: dict[str, _Coin], sums: _Sums
) -> None:
    """Add what one machine holds of an account to its coins and to the sums in dollars."""
    shown = pool.machine.state(account.number).tolist()
    balances = pool.machine.balances(account.number)
    for number, (name, balance) in enumerate(zip(pool.coins, balances, strict=True)):
        coin = coins.get(name) or coins.setdefault(name, _Coin())
        if not (balance or (number == 0 and any(shown))):
            continue
        price, decimals = state.usd_price(name)
        scale = 10**decimals
        coin.wallet += balance
        equity = balance
        if number == 0:
            initial = shown[told.S_ORDERS] + shown[told.S_POSITIONS]
            equity += shown[told.S_UNREALISED]
            coin.upl += shown[told.S_UNREALISED]
            coin.order_im += shown[told.S_ORDERS]
            coin.position_im += shown[told.S_POSITIONS]
            coin.position_mm += shown[told.S_MAINTENANCE]
            coin.free += max(shown[told.S_FREE], 0)
            sums.upl += shown[told.S_UNREALISED] * price // scale
            sums.maintenance += shown[told.S_MAINTENANCE] * price // scale
            sums.free += shown[told.S_FREE] * price // scale
            sums.backing += shown[told.S_EQUITY] * price // scale
            sums.initial += initial * price // scale
        else:
            locked = _locked(state, account.number, name)
            coin.locked += locked
            coin.free += balance - locked
        sums.wallet += balance * price // scale
        sums.equity += equity * price // scale
        coin.usd = (coin.wallet + coin.upl) * price // scale


@lru_cache(1 << 12)
def _coin_row(coin: str, is_settle: bool, *parts: int) -> dict[str, Any]:
    """Return one coin of a wallet."""
    wallet, upl, order_im, position_im, position_mm, free, locked, usd = parts
    return {
        "coin": coin,
        "equity": plain(wallet + upl, CASH),
        "usdValue": plain(usd, CASH),
        "walletBalance": plain(wallet, CASH),
        "free": "",
        "locked": plain(locked, CASH),
        "spotHedgingQty": "0",
        "borrowAmount": "0",
        "availableToBorrow": "",
        "availableToWithdraw": plain(max(free, 0), CASH),
        "accruedInterest": "0",
        "totalOrderIM": plain(order_im, CASH),
        "totalPositionIM": plain(position_im, CASH),
        "totalPositionMM": plain(position_mm, CASH),
        "unrealisedPnl": plain(upl, CASH),
        "cumRealisedPnl": "0",
        "bonus": "0",
        "collateralSwitch": is_settle,
        "marginCollateral": is_settle,
        "spotBorrow": "0",
    }
