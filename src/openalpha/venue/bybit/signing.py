"""Signs requests as Bybit's v5 wants it: HMAC-SHA256 in hex, or RSA with SHA-256 in base64."""

import base64
import hashlib
import hmac
from collections.abc import Callable

from openalpha.core.errors import InputError
from openalpha.store.exchange_key import ExchangeKey

__all__ = ["Signer"]


class Signer:
    """Signs for one key; shows neither key nor secret.

    Parameters
    ----------
    key : ExchangeKey

    Raises
    ------
    InputError
        If the secret is no usable private key where it claims to be one.

    Examples
    --------
    >>> signer = Signer(ExchangeKey("k", "s", "https://venue.test"))
    >>> signer.headers("a=1", 5, window_ms=10)["X-BAPI-SIGN"][:8]
    'd6af230c'
    """

    def __init__(self, key: ExchangeKey) -> None:
        self._api_key = key.api_key
        self._sign = _rsa(key.secret) if key.is_rsa else _hmac(key.secret)

    def sign(self, text: str) -> str:
        """Return the signature of a text."""
        return self._sign(text.encode())

    def login(self, expires_ms: int) -> list[str | int]:
        """Return what a socket's login wants: key, the venue's time it is good until, signature."""
        return [self._api_key, expires_ms, self.sign(f"GET/realtime{expires_ms}")]

    def headers(self, payload: str, stamp_ms: int, *, window_ms: int) -> dict[str, str]:
        """Return the headers of a request.

        Parameters
        ----------
        payload : str
            The query as sent, or the body as sent.
        stamp_ms : int
            The venue's time.
        window_ms : int
            How long after the stamp the venue may still act on it.
        """
        text = f"{stamp_ms}{self._api_key}{window_ms}{payload}"
        return {
            "X-BAPI-API-KEY": self._api_key,
            "X-BAPI-TIMESTAMP": str(stamp_ms),
            "X-BAPI-RECV-WINDOW": str(window_ms),
            "X-BAPI-SIGN": self.sign(text),
        }


def _hmac(secret: str) -> Callable[[bytes], str]:
    key = secret.encode()
    return lambda text: hmac.new(key, text, hashlib.sha256).hexdigest()


def _rsa(pem: str) -> Callable[[bytes], str]:
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    try:
        private = serialization.load_pem_private_key(pem.strip().encode(), password=None)
    except (ValueError, TypeError):
        raise InputError(
            "the secret is no private key in PEM without a password; paste the whole file, from "
            "BEGIN to END"
        ) from None
    if not isinstance(private, rsa.RSAPrivateKey):
        raise InputError("the secret is a private key but not an RSA one; Bybit takes RSA")

    def sign(text: bytes) -> str:
        return base64.b64encode(private.sign(text, padding.PKCS1v15(), hashes.SHA256())).decode()

    return sign
