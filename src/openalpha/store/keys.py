"""The key vault: exchange keys in one encrypted file of the home, never in the database.

`keys.vault` is sealed whole by AES-256-GCM. Its own key lies in the system's keyring, in the file
`vault.key` (mode 0600) or in the variable OPENALPHA_VAULT_KEY. Every change seals anew with a fresh
nonce; a rotation takes a fresh key, written beside the old one before anything is sealed with it,
so a crash at any moment leaves a vault that opens.
"""

import base64
import binascii
import fcntl
import hashlib
import importlib
import json
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from openalpha.core.errors import ConfigError, InputError, StorageError
from openalpha.store.atomic import storage_errors, write_bytes
from openalpha.store.exchange_key import ExchangeKey

__all__ = ["KEY_VARIABLE", "Vault"]

KEY_VARIABLE = "OPENALPHA_VAULT_KEY"
NEXT_VARIABLE = "OPENALPHA_VAULT_KEY_NEXT"
_SOURCES = ("environment", "keyring", "file")
_SERVICE = "openalpha"
_KEY_BYTES = 32


class Vault:
    """The vault of one home.

    Parameters
    ----------
    home : Path
    environ : mapping of str to str
        Where OPENALPHA_VAULT_KEY is looked for.
    source : str or None
        Where a new vault keeps its key: environment, keyring or file. None: the first of these
        that is there.
    told : callable or None
        Told what was done with which key: `use`, `add`, `replace`, `remove`; `seal` for the vault.
    """

    def __init__(
        self,
        home: Path,
        *,
        environ: Mapping[str, str],
        source: str | None = None,
        told: Callable[[str, str], object] | None = None,
    ) -> None:
        self._home = home
        self._path = home / "keys.vault"
        self._environ = environ
        self._wanted = source
        self._told = told if told is not None else _nobody

    def names(self) -> list[str]:
        """Return the names under which keys lie here."""
        return sorted(self._open()[0])

    @property
    def source(self) -> str:
        """Return where the vault's own key lies; empty while there is no vault."""
        envelope = self._envelope()
        return "" if envelope is None else str(envelope.get("source"))

    def get(self, name: str) -> ExchangeKey:
        """Return a key.

        Raises
        ------
        InputError
            If there is none of that name.
        ConfigError
            If the vault cannot be opened with the key at hand, or is damaged.
        """
        row = self._open()[0].get(name)
        if row is None:
            raise InputError(f"there is no key for {name}; add one by `openalpha keys add {name}`")
        self._told("use", name)
        return ExchangeKey(row["api_key"], row["secret"], row["url"], row.get("note", ""))

    def put(self, name: str, key: ExchangeKey, *, replaces: bool = False) -> None:
        """Keep a key.

        Raises
        ------
        InputError
            If one of that name is there and is not to be replaced, or is not there and is.
        StorageError
            If the disk refuses; the vault is then as it was.
        """
        with self._alone():
            rows, master = self._open()
            if (name in rows) != replaces:
                verb = "is no" if replaces else "is a"
                hint = "add" if replaces else "rotate"
                raise InputError(f"there {verb} key for {name}; use `openalpha keys {hint} {name}`")
            rows[name] = {
                "api_key": key.api_key,
                "secret": key.secret,
                "url": key.url,
                "note": key.note,
            }
            self._seal(rows, master)
        self._told("replace" if replaces else "add", name)

    def remove(self, name: str) -> None:
        """Forget a key.

        Raises
        ------
        InputError
            If there is none of that name.
        """
        with self._alone():
            rows, master = self._open()
            if rows.pop(name, None) is None:
                raise InputError(f"there is no key for {name}; `openalpha keys list` shows them")
            self._seal(rows, master)
        self._told("remove", name)

    def rotate(self) -> None:
        """Seal the vault with a fresh key of its own and forget the old one."""
        with self._alone():
            rows, old = self._open()
            source = self.source or self._new_source()
            if source == "environment":
                new = _decoded(self._environ.get(NEXT_VARIABLE, ""), NEXT_VARIABLE)
            else:
                new = secrets.token_bytes(_KEY_BYTES)
                self._keep(source, [new, *([old] if old else [])])
            self._seal(rows, new, source=source)
            if source != "environment":
                self._keep(source, [new])
        self._told("seal", "")

    def _open(self) -> tuple[dict[str, dict[str, str]], bytes | None]:
        """Return all keys, and the vault's own; (nothing, None) while there is no vault."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        envelope = self._envelope()
        if envelope is None:
            return {}, None
        try:
            source, mark = str(envelope["source"]), str(envelope["key"])
            nonce, sealed = (base64.b64decode(envelope[name]) for name in ("nonce", "sealed"))
        except (KeyError, TypeError, binascii.Error):
            raise self._damaged() from None
        for master in self._masters(source):
            if _mark(master) != mark:
                continue
            try:
                text = AESGCM(master).decrypt(nonce, sealed, _bound(source, mark))
                return dict(json.loads(text)), master
            except (InvalidTag, ValueError):
                raise self._damaged() from None
        raise ConfigError(
            f"{self._path} was sealed with another key than the {source} holds now; bring that key "
            "back, or move the file away and add your keys again"
        )

    def _seal(
        self, rows: dict[str, dict[str, str]], master: bytes | None, *, source: str = ""
    ) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        source = source or self.source
        if master is None:
            source = self._new_source()
            master = self._new_master(source)
        mark, nonce = _mark(master), secrets.token_bytes(12)
        sealed = AESGCM(master).encrypt(nonce, json.dumps(rows).encode(), _bound(source, mark))
        envelope = {
            "schema": "openalpha.vault/1",
            "source": source,
            "key": mark,
            "nonce": base64.b64encode(nonce).decode(),
            "sealed": base64.b64encode(sealed).decode(),
        }
        write_bytes(self._path, (json.dumps(envelope, indent=1) + "\n").encode())

    def _envelope(self) -> dict[str, Any] | None:
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StorageError(f"{self._path} cannot be read ({error.strerror})") from None
        try:
            envelope = json.loads(content)
        except ValueError:
            raise self._damaged() from None
        if not isinstance(envelope, dict):
            raise self._damaged()
        return envelope

    def _damaged(self) -> ConfigError:
        return ConfigError(
            f"{self._path} is damaged; restore it from a backup, or move it away and add your keys "
            "again"
        )

    # the vault's own key

    def _new_source(self) -> str:
        if self._wanted is not None:
            if self._wanted not in _SOURCES:
                raise ConfigError(
                    f"the vault's key was to lie in '{self._wanted}', expected one of "
                    f"{', '.join(_SOURCES)}"
                )
            return self._wanted
        if self._environ.get(KEY_VARIABLE):
            return "environment"
        return "keyring" if _keyring() is not None else "file"

    def _new_master(self, source: str) -> bytes:
        # What a crash or a removed vault left behind is used again.
        kept = self._masters(source, is_new=True)
        if kept:
            return kept[0]
        master = secrets.token_bytes(_KEY_BYTES)
        self._keep(source, [master])
        return master

    def _masters(self, source: str, *, is_new: bool = False) -> list[bytes]:
        """Return the keys at hand, newest first."""
        if source == "environment":
            return [_decoded(self._environ.get(KEY_VARIABLE, ""), KEY_VARIABLE)]
        if source not in _SOURCES:
            raise self._damaged()
        text = self._kept(source)
        if not text and not is_new:
            where = self._key_path if source == "file" else "the system's keyring"
            raise ConfigError(
                f"{where} does not hold the vault's key; restore it, or move {self._path} away and "
                "add your keys again"
            )
        return [_decoded(line, f"the vault's key ({source})") for line in text.split()]

    @property
    def _key_path(self) -> Path:
        return self._home / "vault.key"

    def _kept(self, source: str) -> str:
        if source == "keyring":
            ring = _keyring()
            return "" if ring is None else ring.get_password(_SERVICE, str(self._home)) or ""
        try:
            mode = self._key_path.stat().st_mode
            text = self._key_path.read_text("ascii", "replace")
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise StorageError(f"{self._key_path} cannot be read ({error.strerror})") from None
        if mode & 0o077:
            raise ConfigError(
                f"{self._key_path} can be read by others; run `chmod 600` on it, and rotate the "
                "keys if anybody else uses this machine"
            )
        return text

    def _keep(self, source: str, masters: list[bytes]) -> None:
        text = "\n".join(base64.b64encode(master).decode() for master in masters)
        if source == "keyring":
            ring = _keyring()
            if ring is None:
                raise ConfigError("this system has no keyring; keep the vault's key in a file")
            ring.set_password(_SERVICE, str(self._home), text)
            return
        # Made readable by its owner only, from its first byte on.
        write_bytes(self._key_path, f"{text}\n".encode())

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Let one process change the vault at a time."""
        with storage_errors(str(self._path)):
            self._home.mkdir(parents=True, exist_ok=True)
            handle = os.open(self._home / ".keys.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def _nobody(act: str, name: str) -> None:
    """Tell nobody."""


def _keyring() -> Any:
    """Return the system's keyring where it has a real one; the package is optional."""
    try:
        ring = importlib.import_module("keyring")
        priority = ring.get_keyring().priority
    except Exception:  # noqa: BLE001 - a broken keyring is none
        return None
    return ring if priority >= 1 else None


def _decoded(text: str, name: str) -> bytes:
    try:
        master = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        master = b""
    if len(master) != _KEY_BYTES:
        raise ConfigError(
            f"{name} does not hold a key of {_KEY_BYTES} bytes in base64; make one by "
            "`openssl rand -base64 32`"
        )
    return master


def _mark(master: bytes) -> str:
    """Return what tells two keys apart and gives neither away."""
    return hashlib.sha256(b"openalpha vault " + master).hexdigest()[:16]


def _bound(source: str, mark: str) -> bytes:
    return f"openalpha.vault/1 {source} {mark}".encode()
