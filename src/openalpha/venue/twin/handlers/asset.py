"""The asset family: coins and their chains, balances of one account type."""

from typing import Any

from openalpha.venue.twin.accounts import Account
from openalpha.venue.twin.listings import CASH
from openalpha.venue.twin.numbers import plain
from openalpha.venue.twin.state import State
from openalpha.venue.twin.wire import Params

__all__ = ["READS"]


def _coin_info(state: State, account: Account, params: Params) -> dict[str, Any]:
    """Answer GET /v5/asset/coin/query-info. The twin has no chain to deposit from."""
    del account
    rows = []
    for coin in state.coins():
        if params.get("coin") not in (None, "", coin):
            continue
        rows.append(
            {
                "name": coin,
                "coin": coin,
                "remainAmount": "0",
                "chains": [
                    {
                        "chainType": "TWIN",
                        "confirmation": "1",
                        "withdrawFee": "",
                        "depositMin": "0",
                        "withdrawMin": "0",
                        "chain": "TWIN",
                        "chainDeposit": "0",
                        "chainWithdraw": "0",
                        "minAccuracy": str(CASH),
                        "withdrawPercentageFee": "0",
                        "contractAddress": "",
                        "safeConfirmNumber": "1",
                    }
                ],
            }
        )
    return {"rows": rows}


def _coins_balance(state: State, account: Account, params: Params) -> dict[str, Any]:
    """Answer GET /v5/asset/transfer/query-account-coins-balance."""
    wanted = [name for name in str(params.get("coin") or "").split(",") if name]
    rows = [
        {
            "coin": coin,
            "walletBalance": plain(state.balance(account.number, coin), CASH),
            "transferBalance": plain(state.balance(account.number, coin), CASH),
            "bonus": "",
        }
        for coin in wanted or state.coins()
    ]
    kind = str(params.get("accountType") or "UNIFIED")
    return {"accountType": kind, "memberId": str(account.uid), "balance": rows}


READS = {
    "/v5/asset/coin/query-info": _coin_info,
    "/v5/asset/transfer/query-account-coins-balance": _coins_balance,
}
