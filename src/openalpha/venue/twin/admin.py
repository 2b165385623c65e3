"""The twin's own addresses, off the protocol: accounts, money, market events, status.

Nothing here exists on the real venue. Each action is a function of state and parameters, so that it
can be journaled and done again.
"""

import hashlib
from decimal import Decimal
from typing import Any

from openalpha.core.errors import InputError
from openalpha.venue.settings import TIERS
from openalpha.venue.twin import desk
from openalpha.venue.twin.accounts import FIRST_UID, Account, Key
from openalpha.venue.twin.codes import Refused
from openalpha.venue.twin.delisting import set_status
from openalpha.venue.twin.handlers.position import apply_modes
from openalpha.venue.twin.listings import CASH, Listing
from openalpha.venue.twin.market import Market
from openalpha.venue.twin.numbers import plain, read_decimal, units_of
from openalpha.venue.twin.state import Record, State
from openalpha.venue.twin.wire import Params

__all__ = ["ACTIONS", "overview"]

STATUSES = ("Trading", "PreLaunch", "Delivering", "Closed", "Maintenance")


def _add_account(state: State, market: Market, params: Params) -> dict[str, Any]:
    """Open an account with a first key: POST /twin/accounts {"balances": {"USDT": "50000"}}."""
    del market
    balances = params.get("balances", {})
    if not isinstance(balances, dict):
        raise Refused(10001, 'balances is an object of coins, as in {"USDT": "50000"}')
    amounts = {str(coin): _amount(value) for coin, value in balances.items()}
    unknown = [coin for coin in amounts if coin not in state.coins()]
    if unknown or any(amount < 0 for amount in amounts.values()):
        known = ", ".join(state.coins())
        raise Refused(10001, f"balances must not be negative; the twin has {known}")
    tier = _tier(params)
    key = _key(state, params)
    number = len(state.accounts)
    account = Account(
        number,
        FIRST_UID + number,
        is_hedged=str(params.get("position_mode") or "one_way") == "hedge",
        is_isolated=str(params.get("margin_mode") or "cross") == "isolated",
        tier=tier,
        created_ms=state.now_ms,
        updated_ms=state.now_ms,
    )
    for pool in state.pools:
        assert pool.machine.add_account(pool.empty_account()) == number, "numbers are places"
    state.accounts.add(account)
    state.accounts.add_key(account, key)
    state.records.append(Record())
    apply_modes(state, account)
    _apply_tier(state, account)
    for coin, amount in amounts.items():
        if amount:
            desk.transfer(state, account, coin=coin, amount=amount)
    return {"uid": str(account.uid), **_shown(key)}


def _shown(key: Key) -> dict[str, Any]:
    return {"api_key": key.name, "api_secret": key.secret}


def _key(state: State, params: Params) -> Key:
    """Make a key; its name and secret follow from the seed unless they are given."""
    seed = hashlib.blake2b(f"key/{state.next_id()}".encode(), digest_size=27).hexdigest()
    name = str(params.get("api_key") or seed[:18])
    if state.accounts.by_key(name) is not None:
        raise Refused(10001, f"a key named {name} exists")
    pem = str(params.get("rsa_public_key") or "")
    if pem:
        _check_rsa(pem)
    ips = params.get("ips") or []
    if not isinstance(ips, list):
        raise Refused(10001, "ips is a list of addresses")
    return Key(
        name=name,
        secret="" if pem else str(params.get("api_secret") or seed[18:]),
        rsa_public_pem=pem,
        is_read_only=params.get("read_only") is True,
        may_withdraw=params.get("withdraw") is True,
        ips=[str(ip) for ip in ips],
        created_ms=state.now_ms,
        expires_ms=int(params.get("expires_ms") or 0),
    )


def _check_rsa(pem: str) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    try:
        public = serialization.load_pem_public_key(pem.encode())
    except ValueError:
        raise Refused(10001, "rsa_public_key is no public key in PEM") from None
    if not isinstance(public, rsa.RSAPublicKey):
        raise Refused(10001, "rsa_public_key is not an RSA key")


def _tier(params: Params) -> str:
    tier = str(params.get("fee_tier") or "VIP0")
    if tier not in TIERS:
        raise Refused(10001, f"fee_tier was {tier}, expected one of {', '.join(TIERS)}")
    return tier


def _apply_tier(state: State, account: Account) -> None:
    for listing in state.listings.values():
        maker, taker = TIERS[account.tier]["spot" if listing.is_spot else "linear"]
        listing.pool.machine.set_fees(
            account.number,
            listing.number,
            maker_e8=int(Decimal(maker) * 10_000),
            taker_e8=int(Decimal(taker) * 10_000),
        )


def _amount(value: object) -> int:
    amount = read_decimal(value)
    units = None if amount is None else units_of(amount, CASH)
    if units is None:
        raise Refused(10001, f"{value} is no amount of at most {CASH} decimals")
    return units


def _account(state: State, params: Params) -> Account:
    uid = str(params.get("uid") or "")
    account = state.accounts.by_uid(int(uid)) if uid.isdigit() else None
    if account is None or account.number == 0:
        raise Refused(10001, f"no account {uid}")
    return account


def _add_key(state: State, market: Market, params: Params) -> dict[str, Any]:
    """Give an account another key: POST /twin/keys {"uid": …}."""
    del market
    account = _account(state, params)
    key = _key(state, params)
    state.accounts.add_key(account, key)
    return {"uid": str(account.uid), **_shown(key)}


def _revoke_key(state: State, market: Market, params: Params) -> dict[str, Any]:
    """Take a key away: POST /twin/keys/revoke {"api_key": …}."""
    del market
    if not state.accounts.revoke(str(params.get("api_key"))):
        raise Refused(10003, "no such key")
    return {}


def _fund(state: State, market: Market, params: Params) -> dict[str, Any]:
    """Deposit or, with a negative amount, withdraw: POST /twin/fund."""
    del market
    account, coin = _account(state, params), str(params.get("coin") or "USDT")
    desk.transfer(state, account, coin=coin, amount=_amount(params.get("amount")))
    return {"coin": coin, "balance": plain(state.balance(account.number, coin), CASH)}


def _set_tier(state: State, market: Market, params: Params) -> dict[str, Any]:
    """Change an account's fee tier: POST /twin/fees {"uid": …, "fee_tier": "VIP1"}."""
    del market
    account = _account(state, params)
    account.tier = _tier(params)
    _apply_tier(state, account)
    return {"fee_tier": account.tier}


def _market_event(state: State, market: Market, params: Params) -> dict[str, Any]:
    """Let a scripted event strike a market: POST /twin/market {"symbol", "event", "size"}."""
    listing = _listing(state, params)
    feed = market.feeds.get(listing.key)
    size = read_decimal(params.get("size", 0))
    if feed is None or size is None or size <= -1:
        raise Refused(10001, "size is a fraction above -1")
    try:
        feed.strike(str(params.get("event")), float(size))
    except InputError as wrong:
        raise Refused(10001, str(wrong)) from None
    return {}


def _listing(state: State, params: Params) -> Listing:
    return state.listing({"category": "linear", **params})


def _set_status(state: State, market: Market, params: Params) -> dict[str, Any]:
    """Change how markets stand: POST /twin/instrument {"symbol", "status", "delivery_ms"}.

    The symbol * is every market, as when the exchange is maintained. `delivery_ms` announces when
    a market is delisted, 0 takes it back.
    """
    del market
    every = params.get("symbol") == "*"
    chosen = list(state.listings.values()) if every else [_listing(state, params)]
    status, announced = params.get("status"), params.get("delivery_ms")
    if (status is None and announced is None) or (status is not None and status not in STATUSES):
        raise Refused(10001, f"status was {status}, expected one of {', '.join(STATUSES)}")
    moment_ms = None if announced is None else _moment(state, announced)
    for listing in chosen:
        if moment_ms is not None:
            listing.delivery_ms = moment_ms
            listing.version += 1
        if status is not None:
            set_status(state, listing, status=str(status))
    first = chosen[0]
    shown = {"status": first.status, "delivery_ms": first.delivery_ms}
    return {"symbol": "*" if every else first.symbol, **shown}


def _moment(state: State, value: object) -> int:
    text = str(value)
    if not text.isdigit() or 0 < int(text) <= state.now_ms:
        raise Refused(10001, f"delivery_ms was {text}, expected UTC ms to come, or 0 for never")
    return int(text)


def _set_funding(state: State, market: Market, params: Params) -> dict[str, Any]:
    """Settle funding now: POST /twin/funding {"symbol", "rate"}."""
    del market
    listing = _listing(state, params)
    rate = read_decimal(params.get("rate"))
    units = None if rate is None else units_of(rate, 12)
    if listing.is_spot or units is None:
        raise Refused(10001, "rate is a fraction of at most 12 decimals, of a perpetual")
    listing.funding_rate_e12 = units
    listing.pool.machine.on_funding(listing.number, state.now_ms, units)
    state.funding[listing.key].append((state.now_ms, units))
    desk.follow(state, listing.pool)
    return {"symbol": listing.symbol, "rate": plain(units, 12)}


def _set_latency(state: State, market: Market, params: Params) -> dict[str, Any]:
    """Set how long orders, cancels and amends take to the book: POST /twin/latency {"ms": …}."""
    del market
    text = str(params.get("ms"))
    if not text.isdigit() or int(text) > 60_000:
        raise Refused(10001, "ms is a whole number, 0 to 60000")
    state.latency_ms = int(text)
    return {"ms": state.latency_ms}


def _disconnected(state: State, market: Market, params: Params) -> dict[str, Any]:
    """Cancel all of an account's orders of some categories: its sockets are dead (DCP)."""
    del market
    account = _account(state, params)
    record = state.record(account)
    for name in list(record.open_ids):
        order = record.orders[name]
        if order.is_open and order.listing.partition(":")[0] in params.get("categories", []):
            desk.cancel(state, order, cancel_type="CancelByDCP")
    return {}


def overview(state: State) -> dict[str, Any]:
    """Return what GET /twin/status shows: time, markets, accounts, insurance funds."""
    return {
        "now_ms": state.now_ms,
        "seed": state.settings.seed,
        "markets": [
            {
                "category": one.category,
                "symbol": one.symbol,
                "status": one.status,
                "last": plain(one.tape.last, one.price_decimals),
                "mark": plain(one.tape.mark, one.price_decimals),
            }
            for one in state.listings.values()
        ],
        "accounts": [
            {
                "uid": str(one.uid),
                "open_orders": len(state.record(one).open_ids),
                "balances": {
                    coin: plain(state.balance(one.number, coin), CASH) for coin in state.coins()
                },
            }
            for one in state.accounts
            if one.number > 0
        ],
        "insurance": {coin: plain(units, CASH) for coin, units in state.funds.items()},
    }


ACTIONS = {
    "/twin/accounts": _add_account,
    "/twin/keys": _add_key,
    "/twin/keys/revoke": _revoke_key,
    "/twin/fund": _fund,
    "/twin/fees": _set_tier,
    "/twin/market": _market_event,
    "/twin/instrument": _set_status,
    "/twin/latency": _set_latency,
    "/twin/dcp": _disconnected,
    "/twin/funding": _set_funding,
}
