"""One key pair of an exchange, which never shows its secret."""

from dataclasses import dataclass, field

__all__ = ["ExchangeKey", "masked"]


@dataclass(frozen=True, slots=True)
class ExchangeKey:
    """A key of one environment.

    Parameters
    ----------
    api_key : str
        The key's name at the venue; shown masked only.
    secret : str
        Shared secret (HMAC) or private key in PEM (RSA); never part of a `repr`.
    url : str
        The server the key belongs to.
    note : str
        The owner's own words.

    Examples
    --------
    >>> ExchangeKey("abcdefgh1234", "very secret", "https://venue.test")
    ExchangeKey(api_key='abcd…34', url='https://venue.test')
    """

    api_key: str
    secret: str = field(repr=False)
    url: str
    note: str = ""

    def __repr__(self) -> str:
        return f"ExchangeKey(api_key={masked(self.api_key)!r}, url={self.url!r})"

    @property
    def is_rsa(self) -> bool:
        """Whether the secret is a private key rather than a shared one."""
        return self.secret.lstrip().startswith("-----BEGIN")


def masked(api_key: str) -> str:
    """Return as much of a key's name as a person needs to tell two apart.

    Examples
    --------
    >>> masked("abcdefgh1234"), masked("abc")
    ('abcd…34', '…')
    """
    return f"{api_key[:4]}…{api_key[-2:]}" if len(api_key) >= 10 else "…"
