"""`openalpha keys` and `openalpha stop` as a user types them, against a twin over HTTP."""

import contextlib
import json
import os
import pty
import select
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from openalpha.core.clock import SystemClock
from openalpha.store.exchange_key import ExchangeKey
from openalpha.venue.twin import Exchange, TwinSettings
from tests.fakes.bybit import account, wire
from tests.fakes.twin import BTC, BTC_SPOT, served

SECRET = "a-very-secret-secret"


@pytest.fixture(scope="module")
def exchange() -> Exchange:
    return Exchange(
        TwinSettings(listings=(BTC, BTC_SPOT), backfill_days=0, levels=50), SystemClock()
    )


@pytest.fixture(scope="module")
def url(exchange: Exchange) -> Iterator[str]:
    with served(exchange) as url:
        yield url


def openalpha(*arguments: str, typed: str = "", code: int = 0) -> tuple[str, str]:
    """Run a command; returns what it printed on stdout, and on both."""
    done = subprocess.run(
        [sys.executable, "-m", "openalpha", *arguments],
        input=typed,
        capture_output=True,
        text=True,
        env={**os.environ},
        timeout=120,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == code, said
    assert "Traceback" not in said and SECRET not in said
    return done.stdout, said


def key_on(exchange: Exchange, **more: Any) -> ExchangeKey:
    return account(exchange, api_secret=SECRET, **more)


def test_the_life_of_a_key(exchange: Exchange, url: str, home: Path) -> None:
    first = key_on(exchange)
    typed = f"{first.api_key}\n{first.secret}\n"
    _, said = openalpha("keys", "add", "twin", "--url", url, "--stdin", typed=typed)
    assert "withdrawal  not permitted" in said and "no address" in said
    assert first.api_key not in said
    openalpha("keys", "add", "twin", "--url", url, "--stdin", typed=typed, code=1)
    listed = json.loads(openalpha("keys", "list", "--json", "-")[0])
    assert [row["name"] for row in listed["keys"]] == ["twin"]
    shown = json.loads(openalpha("keys", "show", "twin", "--json", "-")[0])
    assert shown["can_trade"] is True
    second = key_on(exchange, ips=["127.0.0.1"])
    sealed = (home / "vault.key").read_bytes()
    openalpha("keys", "rotate", "twin", "--stdin", typed=f"{second.api_key}\n{SECRET}")
    assert (home / "vault.key").read_bytes() != sealed
    assert "127.0.0.1" in openalpha("keys", "show", "twin")[1]
    openalpha("keys", "remove", "twin")
    openalpha("keys", "show", "twin", code=1)
    acts = json.loads(openalpha("audit", "list", "--act", "key", "--json", "-")[0])["acts"]
    told = [(act["act"], act["details"].get("command", "")) for act in acts]
    assert told[:3] == [
        ("key.add", "openalpha keys add"),
        ("key.use", "openalpha keys list"),
        ("key.use", "openalpha keys show"),
    ]
    assert [name for name, _ in told[3:]] == [
        "key.use", "key.replace", "key.seal", "key.use", "key.remove",
    ]  # fmt: skip
    for path in home.rglob("*"):
        assert path.is_dir() or SECRET.encode() not in path.read_bytes()


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"withdraw": True}, "may withdraw money"),
        ({"expires_ms": 1_000}, "expired"),
        ({"ips": ["10.9.8.7"]}, "not among those the key is bound to"),
    ],
)
def test_a_key_that_will_not_do_is_not_kept(
    exchange: Exchange, url: str, home: Path, more: dict[str, Any], words: str
) -> None:
    bad = key_on(exchange, **more)
    typed = f"{bad.api_key}\n{SECRET}"
    _, said = openalpha("keys", "add", "twin", "--url", url, "--stdin", typed=typed, code=1)
    assert words in said
    assert not (home / "keys.vault").exists()


def test_a_twin_that_is_down_is_a_sentence(home: Path) -> None:
    del home
    there = ("--url", "http://127.0.0.1:9", "--stdin")
    _, said = openalpha("keys", "add", "twin", *there, typed="k\ns", code=5)
    assert "127.0.0.1:9 cannot be reached" in said


def test_a_live_key_is_not_sent_in_clear(url: str, home: Path) -> None:
    del home
    _, said = openalpha("keys", "add", "live", "--url", url, "--stdin", typed="k\ns", code=1)
    assert "cannot be the live server" in said


@pytest.mark.parametrize("environment", ["demo", "testnet", "live"])
def test_a_twin_stands_in_for_an_environment_when_told_to(
    exchange: Exchange, url: str, home: Path, environment: str
) -> None:
    del home
    key = key_on(exchange)
    there = ("--url", url, "--stdin", "--set", "exchange.stand_in=true")
    typed = f"{key.api_key}\n{key.secret}\n"
    assert "Kept the key" in openalpha("keys", "add", environment, *there, typed=typed)[1]
    trade = ("--strategy", "ma_cross", "--instrument", "bybit_linear:BTCUSDT")
    _, said = openalpha("run", "--env", environment, *trade, code=1)
    is_live = environment == "live"
    words = "live trading is impossible in" if is_live else f"cannot be the {environment} server"
    assert words in said


def typed_at_a_terminal(url: str, api_key: str, secret: str) -> bytes:
    """Add a key by hand; returns all that the terminal showed, until a moment after the end."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "openalpha", "keys", "add", "twin", "--url", url]
    running = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    said, waiting = b"", [(b"API key: ", api_key), (b"Secret: ", secret)]
    heard = select.poll()  # unlike select() it takes a descriptor of any number
    heard.register(ours, select.POLLIN)
    while running.poll() is None or heard.poll(100):
        if heard.poll(100):
            said += os.read(ours, 4096)
        if waiting and waiting[0][0] in said:
            os.write(ours, f"{waiting.pop(0)[1]}\n".encode())
    # What the shell would read next: nothing of it may be left.
    os.set_blocking(theirs, False)
    with contextlib.suppress(BlockingIOError):
        said += os.read(theirs, 4096)
    os.close(theirs)
    os.close(ours)
    return said


def test_what_is_typed_is_not_echoed(exchange: Exchange, url: str, home: Path) -> None:
    del home
    key = key_on(exchange)
    said = typed_at_a_terminal(url, key.api_key, SECRET)
    assert b"Kept the key" in said
    assert SECRET.encode() not in said and key.api_key.encode() not in said


def test_a_private_key_is_pasted_whole_and_not_seen(
    exchange: Exchange, url: str, home: Path
) -> None:
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    pem = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
    key = account(exchange, rsa_public_key=public.decode())
    said = typed_at_a_terminal(url, key.api_key, pem + "and the next line")
    assert b"Kept the key" in said
    assert not any(line.encode() in said for line in [*pem.split("\n")[1:-2], "and the next"])
    assert "account" in openalpha("keys", "show", "twin")[1]
    lines = [line.encode() for line in pem.split("\n")[1:-2]]
    kept = [path.read_bytes() for path in home.rglob("*") if path.is_file()]
    assert not any(line in text for text in kept for line in lines)


def test_a_crash_of_who_holds_a_key_leaves_no_image_of_its_memory(home: Path) -> None:
    code = (
        "import resource, sys, pathlib; from openalpha.cli.exchange_access import vault_of;"
        "hard = resource.getrlimit(resource.RLIMIT_CORE)[1];"
        "resource.setrlimit(resource.RLIMIT_CORE, (hard, hard));"
        "vault_of(pathlib.Path(sys.argv[1]));"
        "print(resource.getrlimit(resource.RLIMIT_CORE)[0])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(home)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() in ("0", "1")


def test_the_emergency_stop_leaves_nothing_open(exchange: Exchange, url: str, home: Path) -> None:
    del home
    key = key_on(exchange)
    openalpha("keys", "add", "twin", "--url", url, "--stdin", typed=f"{key.api_key}\n{key.secret}")
    client, _ = wire(exchange, ExchangeKey(key.api_key, key.secret, url))
    from openalpha.core.orders import Side
    from openalpha.venue.bybit.new_order import NewOrder

    market = ("linear", "BTCUSDT", Side.BUY, Decimal("0.01"))
    client.orders.create(NewOrder(*market, "e2e-1"))
    client.orders.create(NewOrder(*market, "e2e-2", Decimal(40_000)))
    assert "say so with --emergency" in openalpha("stop", "--env", "twin", code=1)[1]
    told = openalpha("stop", "--emergency", "--env", "twin", "--json", "-")[0]
    outcome = json.loads(told)["outcome"]
    assert (outcome["is_done"], outcome["cancelled"], outcome["closing_orders"]) == (True, 1, 1)
    assert client.positions.held("linear", settle="USDT") == []


def test_it_imports_neither_kernel_nor_other_clients() -> None:
    """The stop must start at once: no numba, no ccxt, no data frames."""
    code = (
        "import sys, openalpha.cli.stop, openalpha.settings, openalpha.venue.bybit.flatten;"
        "import openalpha.store.keys;"
        "heavy = {'numba', 'ccxt', 'numpy', 'polars', 'pandas', 'sqlalchemy'} & set(sys.modules);"
        "sys.exit(', '.join(heavy) or None)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
