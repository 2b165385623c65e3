"""The user family: what the key of a request may do."""

from typing import Any

from openalpha.core.clock import DAY_MS, format_ms
from openalpha.venue.twin.accounts import Account, Key
from openalpha.venue.twin.state import State

__all__ = ["query_api"]

_FIRST = "1970-01-01T00:00:00Z"


def query_api(state: State, account: Account, *, key: Key) -> dict[str, Any]:
    """Answer GET /v5/user/query-api, which speaks of the key that asked."""
    left = (key.expires_ms - state.now_ms) // DAY_MS if key.expires_ms else -2
    wallet = ["AccountTransfer", "SubMemberTransferList"]
    return {
        "id": str(account.uid),
        "note": key.note,
        "apiKey": key.name,
        "readOnly": int(key.is_read_only),
        "secret": "",
        "permissions": {
            "ContractTrade": ["Order", "Position"],
            "Spot": ["SpotTrade"],
            "Wallet": [*wallet, "Withdraw"] if key.may_withdraw else wallet,
            "Options": [],
            "Derivatives": ["DerivativesTrade"],
            "CopyTrading": [],
            "BlockTrade": [],
            "Exchange": [],
            "NFT": [],
            "Affiliate": [],
            "Earn": [],
            "FiatP2P": [],
            "FiatBybitPay": [],
            "FiatConvertBroker": [],
            "FiatGlobalPay": [],
            "FiatBitPay": [],
            "BitCard": [],
            "ByXPost": [],
        },
        "ips": key.ips or ["*"],
        "type": 1,
        "deadlineDay": left,
        "expiredAt": format_ms(key.expires_ms) if key.expires_ms else _FIRST,
        "createdAt": format_ms(key.created_ms - key.created_ms % 1000),
        "unified": 0,
        "uta": 1,
        "userID": account.uid,
        "inviterID": 0,
        "vipLevel": "No VIP" if account.tier == "VIP0" else account.tier,
        "mktMakerLevel": "0",
        "affiliateID": 0,
        "rsaPublicKey": key.rsa_public_pem,
        "isMaster": True,
        "parentUid": "0",
        "kycLevel": "LEVEL_DEFAULT",
        "kycRegion": "",
        "userIDInt64": str(account.uid),
        "inviterIDInt64": "0",
        "affiliateIDInt64": "0",
    }
