"""Names of coins, pairs and contracts as venues write them."""

import re
from typing import NamedTuple

__all__ = ["FIAT", "ContractTerms", "coin_of", "joined", "split_pair", "terms_of"]

FIAT = frozenset(
    {"AUD", "USD", "EUR", "GBP", "NZD", "CAD", "JPY", "CHF", "SGD", "HKD", "TRY", "BRL", "PLN",
     "CZK", "ARS", "MXN", "ZAR", "INR", "KRW", "CNY", "NOK", "SEK", "DKK", "HUF", "RON", "THB",
     "IDR", "PHP", "VND", "AED", "UAH", "KZT", "RUB", "GEL"}
)  # fmt: skip
"""Currencies: money, no assets under capital gains tax."""

# Longest first: BTCUSDT is BTC against USDT, and not BTCUS against DT.
_QUOTES = tuple(
    sorted(
        {"USDT", "USDC", "USDE", "USDQ", "USDR", "USD1", "FDUSD", "BUSD", "TUSD", "DAI", "BTC",
         "ETH", "BNB", "EUR", "AUD", "USD", "GBP", "TRY", "BRL", "BRZ", "PLN", "JPY", "CAD",
         "MNT", "XUSD", "RLUSD", "MXN", "IDR", "UAH", "ZAR", "CZK", "CHF", "NZD"},
        key=lambda coin: -len(coin),
    )
)  # fmt: skip
# Kraken's old names: X before a coin, Z before a currency, and two of its own.
_KRAKEN = {"XBT": "BTC", "XXBT": "BTC", "XDG": "DOGE", "XXDG": "DOGE"} | {
    f"X{coin}": coin for coin in ["ETH", "LTC", "XRP", "XLM", "XMR", "ZEC", "ETC", "REP", "MLN"]
} | {f"Z{coin}": coin for coin in ["AUD", "USD", "EUR", "GBP", "CAD", "JPY"]}  # fmt: skip
_STAKED = re.compile(r"(\d{2})?\.(S|M|F|P|B|HOLD)$")


class ContractTerms(NamedTuple):
    """The coin a contract is settled in, and whether it is an inverse one."""

    coin: str
    is_inverse: bool


def split_pair(pair: str) -> tuple[str, str] | None:
    """Split a pair into base and quote; None where it cannot be told.

    Examples
    --------
    >>> split_pair("BTCUSDT"), split_pair("ETH-AUD"), split_pair("WHAT")
    (('BTC', 'USDT'), ('ETH', 'AUD'), None)
    """
    parts = [part for part in re.split(r"[-/_ ]", pair.strip().upper()) if part]
    if len(parts) == 2:
        return parts[0], parts[1]
    if len(parts) != 1:
        return None
    for quote in _QUOTES:
        if parts[0].endswith(quote) and len(parts[0]) > len(quote):
            return parts[0][: -len(quote)], quote
    return None


def joined(pair: str) -> str:
    """Write a pair or contract without separators, as it is compared.

    Examples
    --------
    >>> joined("btc-usdt")
    'BTCUSDT'
    """
    return re.sub(r"[-/_ ]", "", pair.strip().upper())


def terms_of(contract: str) -> ContractTerms | None:
    """Tell what a perpetual is settled in; None for what is no perpetual of a known form.

    Examples
    --------
    >>> terms_of("BTCUSDT"), terms_of("ETHUSD").coin, terms_of("BTC-27DEC24-90000-C")
    (ContractTerms(coin='USDT', is_inverse=False), 'ETH', None)
    """
    name = re.sub(r"-?SWAP$", "", contract.strip().upper())
    if re.fullmatch(r"[A-Z0-9]+-?USDT", name):
        return ContractTerms("USDT", is_inverse=False)
    if re.fullmatch(r"[A-Z0-9]+-?(PERP|USDC)", name):
        return ContractTerms("USDC", is_inverse=False)
    inverse = re.fullmatch(r"([A-Z0-9]+)-?USD", name)
    return ContractTerms(inverse.group(1), is_inverse=True) if inverse else None


def coin_of(name: str) -> str:
    """Return a coin by the name all venues share.

    Examples
    --------
    >>> coin_of("XXBT"), coin_of("ZAUD"), coin_of("DOT28.S"), coin_of("XTZ")
    ('BTC', 'AUD', 'DOT', 'XTZ')
    """
    plain = _STAKED.sub("", name.strip().upper())
    return _KRAKEN.get(plain, plain)
