"""The vault: nothing in clear on disk, nothing in words, and no crash that locks it."""

import base64
import json
import secrets
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from openalpha.core.errors import ConfigError, InputError, StorageError
from openalpha.store import keys as vault_file
from openalpha.store.exchange_key import ExchangeKey
from openalpha.store.keys import KEY_VARIABLE, Vault

KEY = ExchangeKey("kkkkkkkkkkkk", "sssssssssssss", "https://venue.test", "first")
OTHER = ExchangeKey("llllllllllll", "ttttttttttttt", "https://venue.test")


@pytest.fixture(autouse=True)
def _no_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vault_file, "_keyring", lambda: None)


def vault(home: Path, **environ: str) -> Vault:
    return Vault(home, environ=environ)


def fresh() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


def test_what_is_put_is_got_and_removed(tmp_path: Path) -> None:
    vault(tmp_path).put("twin", KEY)
    vault(tmp_path).put("testnet", OTHER)
    assert vault(tmp_path).names() == ["testnet", "twin"]
    assert vault(tmp_path).get("twin") == KEY
    vault(tmp_path).put("twin", OTHER, replaces=True)
    assert vault(tmp_path).get("twin") == OTHER
    vault(tmp_path).remove("twin")
    assert vault(tmp_path).names() == ["testnet"]


def test_no_secret_lies_in_clear_and_files_are_the_owners_alone(tmp_path: Path) -> None:
    vault(tmp_path).put("twin", KEY)
    for path in tmp_path.iterdir():
        content = path.read_bytes()
        for word in (KEY.secret, KEY.api_key):
            assert word.encode() not in content
            assert base64.b64encode(word.encode())[:-2] not in content
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_no_secret_is_ever_said(tmp_path: Path) -> None:
    made = vault(tmp_path)
    made.put("twin", KEY)
    said = [repr(KEY), str(KEY), f"{KEY}", repr(made), repr(made.get("twin"))]
    with pytest.raises(InputError) as caught:
        made.put("twin", KEY)
    said.append(str(caught.value))
    assert not any(KEY.secret in words or KEY.api_key in words for words in said)


@pytest.mark.parametrize(
    "attempt",
    [
        lambda made: made.put("twin", OTHER),
        lambda made: made.put("demo", OTHER, replaces=True),
        lambda made: made.get("demo"),
        lambda made: made.remove("demo"),
    ],
)
def test_what_cannot_be_is_a_sentence(tmp_path: Path, attempt: Callable[[Vault], object]) -> None:
    made = vault(tmp_path)
    made.put("twin", KEY)
    with pytest.raises(InputError, match="openalpha keys"):
        attempt(made)
    assert made.get("twin") == KEY


def test_a_rotation_seals_anew_and_forgets_the_old_key(tmp_path: Path) -> None:
    vault(tmp_path).put("twin", KEY)
    sealed, master = ((tmp_path / name).read_bytes() for name in ("keys.vault", "vault.key"))
    vault(tmp_path).rotate()
    assert vault(tmp_path).get("twin") == KEY
    (tmp_path / "keys.vault").write_bytes(sealed)
    with pytest.raises(ConfigError, match="sealed with another key"):
        vault(tmp_path).get("twin")
    assert master not in (tmp_path / "vault.key").read_bytes()


@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_rotation_cut_short_leaves_a_vault_that_opens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    vault(tmp_path).put("twin", KEY)
    real, count = vault_file.write_bytes, iter(range(10))

    def dying(path: Path, content: bytes) -> None:
        if next(count) == after:
            raise StorageError("the disk is full")
        real(path, content)

    monkeypatch.setattr(vault_file, "write_bytes", dying)
    with pytest.raises(StorageError):
        vault(tmp_path).rotate()
    monkeypatch.undo()
    monkeypatch.setattr(vault_file, "_keyring", lambda: None)
    assert vault(tmp_path).get("twin") == KEY
    vault(tmp_path).rotate()
    assert vault(tmp_path).get("twin") == KEY


def test_the_key_from_the_environment(tmp_path: Path) -> None:
    old, new = fresh(), fresh()
    vault(tmp_path, **{KEY_VARIABLE: old}).put("twin", KEY)
    assert [path.name for path in tmp_path.glob("*")] in (
        [".keys.lock", "keys.vault"],
        ["keys.vault", ".keys.lock"],
    )
    with pytest.raises(ConfigError, match="openssl rand"):
        vault(tmp_path).get("twin")
    with pytest.raises(ConfigError, match="sealed with another key"):
        vault(tmp_path, **{KEY_VARIABLE: new}).get("twin")
    vault(tmp_path, **{KEY_VARIABLE: old, f"{KEY_VARIABLE}_NEXT": new}).rotate()
    assert vault(tmp_path, **{KEY_VARIABLE: new}).get("twin") == KEY


def test_the_key_from_a_keyring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Ring:
        kept: dict[Any, str]

        def __init__(self) -> None:
            self.kept = {}

        def get_password(self, service: str, user: str) -> str | None:
            return self.kept.get((service, user))

        def set_password(self, service: str, user: str, text: str) -> None:
            self.kept[service, user] = text

    ring = Ring()
    monkeypatch.setattr(vault_file, "_keyring", lambda: ring)
    vault(tmp_path).put("twin", KEY)
    vault(tmp_path).rotate()
    assert (vault(tmp_path).get("twin"), vault(tmp_path).source) == (KEY, "keyring")
    assert not (tmp_path / "vault.key").exists() and len(ring.kept) == 1


def test_a_key_file_others_can_read_is_refused(tmp_path: Path) -> None:
    vault(tmp_path).put("twin", KEY)
    (tmp_path / "vault.key").chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        vault(tmp_path).get("twin")


@pytest.mark.parametrize("damage", ["cut", "no json", "a list", "a bit", "other source"])
def test_a_damaged_vault_is_named_and_never_overwritten(tmp_path: Path, damage: str) -> None:
    vault(tmp_path).put("twin", KEY)
    path = tmp_path / "keys.vault"
    envelope = json.loads(path.read_text("utf-8"))
    sealed = bytearray(base64.b64decode(envelope["sealed"]))
    sealed[3] ^= 1
    flipped = base64.b64encode(bytes(sealed)).decode()
    text = {
        "cut": path.read_text("utf-8")[:40],
        "no json": "\x00",
        "a list": "[]",
        "a bit": json.dumps({**envelope, "sealed": flipped}),
        "other source": json.dumps({**envelope, "source": "nowhere"}),
    }[damage]
    path.write_text(text, "utf-8")
    for attempt in (lambda: vault(tmp_path).get("twin"), lambda: vault(tmp_path).put("x", OTHER)):
        with pytest.raises(ConfigError):
            attempt()
    assert path.read_text("utf-8") == text


def test_a_lost_key_file_is_named(tmp_path: Path) -> None:
    vault(tmp_path).put("twin", KEY)
    (tmp_path / "vault.key").unlink()
    with pytest.raises(ConfigError, match=r"vault\.key does not hold the vault's key"):
        vault(tmp_path).put("testnet", OTHER)
    assert not (tmp_path / "vault.key").exists()
