"""One wallet over several machines: what an account has, and coins moved to where they serve.

A coin can be a balance of the spot markets of one machine and the settle coin of another. To the
account it is one balance: before an order that needs it, what is free of it is moved to the machine
the order goes to. Such a move is no entry of the transaction log; the sum never changes.
"""

from typing import Any

from openalpha.venue.kernel import book_account as told
from openalpha.venue.kernel import layout as at
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
        amount = _free(other, account, coin)
        if amount > 0:
            _move(state, account, coin, source=other, target=pool, amount=amount)


def _free(pool: Pool, account: int, coin: str) -> int:
    """Return what of a coin nothing in a machine needs."""
    number = pool.coin_number(coin)
    assert number is not None, "asked of pools that have the coin"
    if number == 0:
        state = pool.machine.state(account)
        return max(0, min(int(state[told.S_FREE]), pool.machine.balances(account)[0]))
    locked = 0
    for listing in pool.listings:
        if listing.is_spot and listing.instrument.base == coin:
            locked += _resting_sells(pool, listing.number, account)
    return max(0, pool.machine.balances(account)[number] - locked)


def _resting_sells(pool: Pool, number: int, account: int) -> int:
    rows = pool.machine.live_orders(number)
    mine = rows[(rows[:, at.O_ACCT] == account) & (rows[:, at.O_SIDE] < 0)]
    return int((mine[:, at.O_QTY] - mine[:, at.O_FILLED]).sum())


def _move(
    state: State, account: int, coin: str, *, source: Pool, target: Pool, amount: int
) -> None:
    """Move a coin between machines without a trace in the account's history."""
    for pool, signed in ((source, -amount), (target, amount)):
        number = pool.coin_number(coin)
        assert number is not None, "both machines have the coin"
        pool.machine.transfer(account, number, state.now_ms, signed)
        pool.machine.drain()


def wallet_row(state: State, account: Account) -> dict[str, Any]:
    """Return an account's wallet; sums are in dollars, at the index prices of the twin."""
    coins: dict[str, dict[str, int]] = {}
    totals = dict.fromkeys(
        ("equity", "wallet", "upl", "initial", "maintenance", "free", "backing"), 0
    )
    for pool in state.pools:
        _add_pool(state, account, pool, coins=coins, totals=totals)
    margin = totals["wallet"] + totals["upl"]
    return {
        "accountType": "UNIFIED",
        "accountIMRate": _rate(totals["initial"], totals["backing"]),
        "accountMMRate": _rate(totals["maintenance"], totals["backing"]),
        "accountIMRateByMp": _rate(totals["initial"], totals["backing"]),
        "accountMMRateByMp": _rate(totals["maintenance"], totals["backing"]),
        "accountLTV": "0",
        "totalEquity": plain(totals["equity"], CASH),
        "totalWalletBalance": plain(totals["wallet"], CASH),
        "totalMarginBalance": plain(margin, CASH),
        "totalAvailableBalance": plain(max(totals["free"], 0), CASH),
        "totalPerpUPL": plain(totals["upl"], CASH),
        "totalInitialMargin": plain(totals["initial"], CASH),
        "totalMaintenanceMargin": plain(totals["maintenance"], CASH),
        "totalInitialMarginByMp": plain(totals["initial"], CASH),
        "totalMaintenanceMarginByMp": plain(totals["maintenance"], CASH),
        "coin": [_coin_row(state, coin, parts) for coin, parts in coins.items()],
    }


def _rate(over: int, under: int) -> str:
    if under <= 0:
        return "0"
    return plain(over * 10**4 // under, 4)


def _add_pool(
    state: State,
    account: Account,
    pool: Pool,
    *,
    coins: dict[str, dict[str, int]],
    totals: dict[str, int],
) -> None:
    """Add what one machine holds of an account to its coins and to the sums in dollars."""
    told_state = pool.machine.state(account.number).tolist()
    balances = pool.machine.balances(account.number)
    for number, (coin, balance) in enumerate(zip(pool.coins, balances, strict=True)):
        parts = coins.setdefault(coin, dict.fromkeys(_PARTS, 0))
        parts["wallet"] += balance
        price, decimals = state.usd_price(coin)
        upl = told_state[told.S_UNREALISED] if number == 0 else 0
        if number == 0:
            parts["upl"] += upl
            parts["order_im"] += told_state[told.S_ORDERS]
            parts["position_im"] += told_state[told.S_POSITIONS]
            parts["position_mm"] += told_state[told.S_MAINTENANCE]
            parts["free"] += max(told_state[told.S_FREE], 0)
            for name, column in _SUMMED:
                totals[name] += told_state[column] * price // 10**decimals
            totals["initial"] += (
                (told_state[told.S_ORDERS] + told_state[told.S_POSITIONS]) * price // 10**decimals
            )
        else:
            locked = sum(
                _resting_sells(pool, one.number, account.number)
                for one in pool.listings
                if one.is_spot and one.instrument.base == coin
            )
            parts["locked"] += locked
            parts["free"] += balance - locked
        totals["wallet"] += balance * price // 10**decimals
        totals["equity"] += (balance + upl) * price // 10**decimals


_PARTS = ("wallet", "upl", "order_im", "position_im", "position_mm", "free", "locked")
_SUMMED = (
    ("upl", told.S_UNREALISED),
    ("maintenance", told.S_MAINTENANCE),
    ("free", told.S_FREE),
    ("backing", told.S_EQUITY),
)


def _coin_row(state: State, coin: str, parts: dict[str, int]) -> dict[str, Any]:
    """Return one coin of a wallet."""
    price, decimals = state.usd_price(coin)
    equity = parts["wallet"] + parts["upl"]
    return {
        "coin": coin,
        "equity": plain(equity, CASH),
        "usdValue": plain(equity * price // 10**decimals, CASH),
        "walletBalance": plain(parts["wallet"], CASH),
        "free": "",
        "locked": plain(parts["locked"], CASH),
        "spotHedgingQty": "0",
        "borrowAmount": "0",
        "availableToBorrow": "",
        "availableToWithdraw": plain(max(parts["free"], 0), CASH),
        "accruedInterest": "0",
        "totalOrderIM": plain(parts["order_im"], CASH),
        "totalPositionIM": plain(parts["position_im"], CASH),
        "totalPositionMM": plain(parts["position_mm"], CASH),
        "unrealisedPnl": plain(parts["upl"], CASH),
        "cumRealisedPnl": "0",
        "bonus": "0",
        "collateralSwitch": any(pool.settle == coin for pool in state.pools),
        "marginCollateral": any(pool.settle == coin for pool in state.pools),
        "spotBorrow": "0",
    }
