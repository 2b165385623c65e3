"""The account family: wallet, info, fee rates, transaction log, margin mode."""

from typing import Any

from openalpha.core.clock import DAY_MS
from openalpha.venue.twin.accounts import Account
from openalpha.venue.twin.codes import Refused
from openalpha.venue.twin.handlers.position import apply_modes
from openalpha.venue.twin.numbers import plain
from openalpha.venue.twin.state import State
from openalpha.venue.twin.wallets import wallet_row
from openalpha.venue.twin.wire import Params, newest, stretch

__all__ = ["READS", "WRITES"]

_MODES = {"REGULAR_MARGIN": False, "ISOLATED_MARGIN": True}


def _wallet_balance(state: State, account: Account, params: Params) -> dict[str, Any]:
    """Answer GET /v5/account/wallet-balance."""
    kind = params.get("accountType")
    if kind not in ("UNIFIED", "FUND", "SPOT", "CONTRACT"):
        raise Refused(10001, "accountType invalid")
    if kind != "UNIFIED":
        raise Refused(10001, "accountType only support UNIFIED.")
    row = wallet_row(state, account)
    wanted = [name for name in str(params.get("coin") or "").split(",") if name]
    if wanted:
        row["coin"] = [coin for coin in row["coin"] if coin["coin"] in wanted]
    else:
        row["coin"] = [
            coin
            for coin in row["coin"]
            if coin["walletBalance"] != "0" or coin["coin"] in state.record(account).cash
        ]
    return {"list": [row]}


def _info(state: State, account: Account, params: Params) -> dict[str, Any]:
    """Answer GET /v5/account/info."""
    del state, params
    is_on = bool(account.dcp_window_s)
    return {
        "marginMode": "ISOLATED_MARGIN" if account.is_isolated else "REGULAR_MARGIN",
        "updatedTime": str(account.updated_ms),
        "unifiedMarginStatus": 5,
        "dcpStatus": "ON" if is_on else "OFF",
        "timeWindow": next(iter(account.dcp_window_s.values()), 10),
        "smpGroup": 0,
        "isMasterTrader": False,
        "spotHedgingStatus": "OFF",
    }


def _dcp_info(state: State, account: Account, params: Params) -> dict[str, Any]:
    """Answer GET /v5/account/query-dcp-info."""
    del state, params
    names = {"option": "OPTIONS", "future": "DERIVATIVES", "spot": "SPOT"}
    return {
        "dcpInfos": [
            {"product": names[product], "dcpStatus": "ON", "timeWindow": str(window)}
            for product, window in account.dcp_window_s.items()
        ]
    }


def _fee_rate(state: State, account: Account, params: Params) -> dict[str, Any]:
    """Answer GET /v5/account/fee-rate."""
    category = str(params.get("category") or "linear")
    chosen = state.of_category(state.category({"category": category}))
    rows = []
    for listing in chosen:
        if params.get("symbol") and listing.symbol != params["symbol"]:
            continue
        if params.get("baseCoin") and listing.instrument.base != params["baseCoin"]:
            continue
        maker, taker = listing.pool.machine.fees(account.number, listing.number)
        rows.append(
            {
                "symbol": listing.symbol,
                "baseCoin": "",
                "takerFeeRate": plain(taker, 8),
                "makerFeeRate": plain(maker, 8),
            }
        )
    if params.get("symbol") and not rows:
        raise Refused(10001, "params error: symbol invalid")
    return {"category": category, "list": rows}


def _transaction_log(state: State, account: Account, params: Params) -> dict[str, Any]:
    """Answer GET /v5/account/transaction-log, the newest first."""
    # Unlike all other histories this one tells a day at a time where no end is asked for.
    start, end = stretch(params, now_ms=state.now_ms, usual_ms=DAY_MS)
    wanted = {
        "currency": params.get("currency"),
        "type": params.get("type"),
        "category": params.get("category"),
    }
    base = params.get("baseCoin")
    rows = (
        row
        for row in reversed(state.record(account).ledger)
        if start <= int(row["transactionTime"]) <= end
        and all(not value or row[name] == value for name, value in wanted.items())
        and (not base or row["symbol"].startswith(base))
    )
    # An id is uid, number and coin.
    shown, cursor = newest(rows, params, number=lambda row: int(row["id"].split("_")[1]))
    return {"list": shown, "nextPageCursor": cursor}


def _set_margin_mode(state: State, account: Account, params: Params) -> dict[str, Any]:
    """Answer POST /v5/account/set-margin-mode."""
    mode = str(params.get("setMarginMode"))
    if mode not in _MODES:
        raise Refused(10001, "setMarginMode: the twin knows REGULAR_MARGIN and ISOLATED_MARGIN")
    if _MODES[mode] != account.is_isolated:
        account.is_isolated = not account.is_isolated
        apply_modes(state, account)
        if any(pool.machine.state(account.number)[2] < 0 for pool in state.pools):
            account.is_isolated = not account.is_isolated
            apply_modes(state, account)
            raise Refused(3400064, "Margin is not enough to switch the mode")
    return {"reasons": []}


def _collateral_info(state: State, account: Account, params: Params) -> dict[str, Any]:
    """Answer GET /v5/account/collateral-info: settle coins serve as collateral, others do not."""
    del account
    rows = []
    for coin in state.coins():
        if params.get("currency") not in (None, "", coin):
            continue
        price, decimals = state.usd_price(coin)
        serves = any(pool.settle == coin for pool in state.pools)
        rows.append(
            {
                "currency": coin,
                "hourlyBorrowRate": "0",
                "maxBorrowingAmount": "0",
                "freeBorrowingLimit": "0",
                "freeBorrowAmount": "0",
                "borrowAmount": "0",
                "otherBorrowAmount": "0",
                "availableToBorrow": "0",
                "borrowable": False,
                "freeBorrowingAmount": "",
                "borrowUsageRate": "0",
                "marginCollateral": serves,
                "collateralSwitch": serves,
                "collateralRatio": "1" if serves else "0",
                "usdPrice": plain(price, decimals),
            }
        )
    return {"list": [{name: row[name] for name in row if name != "usdPrice"} for row in rows]}


READS = {
    "/v5/account/wallet-balance": _wallet_balance,
    "/v5/account/info": _info,
    "/v5/account/fee-rate": _fee_rate,
    "/v5/account/transaction-log": _transaction_log,
    "/v5/account/collateral-info": _collateral_info,
    "/v5/account/query-dcp-info": _dcp_info,
}
WRITES = {"/v5/account/set-margin-mode": _set_margin_mode}
