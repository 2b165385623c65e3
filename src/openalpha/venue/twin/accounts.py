"""Accounts of the twin, their keys, and where a key is looked up."""

from collections.abc import Iterator
from dataclasses import dataclass, field

__all__ = ["FIRST_UID", "Account", "Accounts", "Key"]

FIRST_UID = 100_000


@dataclass(slots=True)
class Key:
    """An API key of an account; either a shared secret or an RSA public key (PEM)."""

    name: str
    secret: str = ""
    rsa_public_pem: str = ""
    note: str = "twin"
    is_read_only: bool = False
    may_withdraw: bool = False
    ips: list[str] = field(default_factory=list)
    created_ms: int = 0
    expires_ms: int = 0


@dataclass(slots=True)
class Account:
    """One unified trading account. `number` is its place in every pool's machine."""

    number: int
    uid: int
    keys: list[Key] = field(default_factory=list)
    is_hedged: bool = False
    is_isolated: bool = False
    tier: str = "VIP0"
    created_ms: int = 0
    updated_ms: int = 0
    dcp_window_s: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Accounts:
    """All accounts, by number and by key."""

    rows: list[Account] = field(default_factory=list)
    _keys: dict[str, tuple[Account, Key]] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Account]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def add(self, account: Account) -> None:
        """Take an account with the keys it has."""
        self.rows.append(account)
        for key in account.keys:
            self._keys[key.name] = (account, key)

    def add_key(self, account: Account, key: Key) -> None:
        """Give an account one more key."""
        account.keys.append(key)
        self._keys[key.name] = (account, key)

    def revoke(self, name: str) -> bool:
        """Take a key away; False if there is none of that name."""
        found = self._keys.pop(name, None)
        if found is None:
            return False
        found[0].keys.remove(found[1])
        return True

    def by_key(self, name: str) -> tuple[Account, Key] | None:
        """Return the account a key belongs to, and the key."""
        return self._keys.get(name)

    def by_uid(self, uid: int) -> Account | None:
        """Return the account of a user id."""
        number = uid - FIRST_UID
        return self.rows[number] if 0 <= number < len(self.rows) else None
