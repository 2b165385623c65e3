"""The restore drill: a home is lost and comes back from its backup, by commands as typed."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from openalpha.store.exchange_key import ExchangeKey
from openalpha.store.keys import Vault


def openalpha(home: Path, *arguments: str, code: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "openalpha", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "OPENALPHA_HOME": str(home)},
        stdin=subprocess.DEVNULL,
        timeout=120,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == code, said
    assert "Traceback" not in said
    return said if code else done.stdout


def told(home: Path, *arguments: str) -> Any:
    return json.loads(openalpha(home, *arguments, "--json", "-"))


@pytest.fixture
def lived_in(tmp_path: Path) -> Path:
    """A home with settings, books, a key, a run of the twin and what risk remembers."""
    home = tmp_path / "home"
    openalpha(home, "config", "init")
    to = ("--environment", "paper", "--to", "main", "--coin", "USDT", "--reason", "to begin")
    for number in range(3):
        moment = ("--at", f"2024-07-0{number + 1}")
        openalpha(home, "ledger", "transfer", *to, *moment, "--amount", str(1000 + number))
    Vault(home, environ={}, source="file").put("twin", ExchangeKey("a" * 12, "s3cret", "http://x"))
    for name in ("runs/twin/one/log/000001.log", "safety/twin/risk.json"):
        (home / name).parent.mkdir(parents=True)
        (home / name).write_text("{}")
    return home


def test_a_lost_home_comes_back(lived_in: Path, tmp_path: Path) -> None:
    phrase = tmp_path / "phrase"
    phrase.write_text("correct horse battery\n")
    sealed = ("--passphrase-file", str(phrase))
    before = told(lived_in, "ledger", "balances", "--environment", "paper")
    saved = tmp_path / "disk" / "saved"
    made = told(lived_in, "backup", "create", "--to", str(saved), *sealed)
    assert made["left_out"] == []
    shutil.rmtree(lived_in)
    assert told(tmp_path, "backup", "verify", str(saved), *sealed)["files"] == made["files"]
    back = tmp_path / "back"
    report = told(tmp_path, "backup", "restore", str(saved), "--to", str(back), *sealed)
    assert report["books"] == ["paper/me: 3 entries, all in order"]
    assert "all in order" in openalpha(back, "ledger", "verify")
    assert told(back, "ledger", "balances", "--environment", "paper") == before
    assert [row["name"] for row in told(back, "keys", "list")["keys"]] == ["twin"]
    assert (back / "openalpha.toml").is_file() and (back / "runs/twin/one/log").is_dir()
    # The world went on since: nothing trades before a person looked.
    assert report["locked"] == ["twin"]
    assert "restored from a backup" in openalpha(back, "arm", "status")


def test_without_a_passphrase_the_keys_stay_shut(lived_in: Path, tmp_path: Path) -> None:
    made = told(lived_in, "backup", "create")
    assert made["left_out"] == ["vault.key: a backup that is not sealed must not open the keys"]
    back = tmp_path / "back"
    openalpha(lived_in, "backup", "restore", made["file"], "--to", str(back))
    assert "does not hold the vault's key" in openalpha(back, "keys", "list", code=1)
    second = told(back, "backup", "create", "--to", str(tmp_path / "second"))
    assert second["files"] >= made["files"], "a backup of a backup is whole, old backups apart"


def test_what_a_person_gets_wrong(lived_in: Path, tmp_path: Path) -> None:
    short, saved = tmp_path / "short", tmp_path / "saved"
    short.write_text("abc")
    create = ("backup", "create", "--to", str(saved))
    told(lived_in, *create)
    for arguments, words in (
        ((*create,), "is there already"),
        ((*create[:-1], str(tmp_path / "b"), "--passphrase-file", str(short)), "shorter than 8"),
        ((*create[:-1], str(tmp_path / "b"), "--seal"), "typed at a terminal"),
        (("backup", "verify", str(tmp_path / "nope")), "there is no file"),
        (("backup", "verify", str(short)), "is no backup"),
        (("backup", "restore", str(saved), "--to", str(lived_in)), "is not empty"),
        (
            ("backup", "restore", str(saved), "--to", str(tmp_path / "c"), "--database", "x"),
            "leave --database out",
        ),
    ):
        assert words in openalpha(lived_in, *arguments, code=1)
    assert not (tmp_path / "b").exists() and not (tmp_path / "c").exists()
