"""The twin as a process: killed at any moment it loses nothing it acknowledged."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.fakes.twin import sign

MARKET = "linear:BTCUSDT=60000"
PATIENCE_S = 120


@contextmanager
def running(folder: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A twin process and its URL."""
    told = folder / "twin.json"
    told.unlink(missing_ok=True)
    command = [sys.executable, "-m", "openalpha", "twin", "--port", "0", "--market", MARKET]
    process = subprocess.Popen(
        [*command, "--json", str(told), *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ},
    )
    try:
        ends = time.monotonic() + PATIENCE_S
        while not told.exists():
            assert process.poll() is None, process.stderr and process.stderr.read().decode()
            assert time.monotonic() < ends
            threading.Event().wait(0.05)
        yield process, json.loads(told.read_text("utf-8"))["url"]
    finally:
        process.kill()
        process.wait(timeout=30)
        if process.stderr is not None:
            process.stderr.close()


def post(client: httpx.Client, account: dict[str, str], path: str, **params: Any) -> Any:
    body = json.dumps(params)
    headers = sign(account, body, str(time.time_ns() // 1_000_000))
    return client.post(path, content=body, headers=headers).json()


def get(client: httpx.Client, account: dict[str, str], path: str, query: str) -> Any:
    headers = sign(account, query, str(time.time_ns() // 1_000_000))
    answer = client.get(f"{path}?{query}", headers=headers).json()
    assert answer["retCode"] == 0, answer
    return answer["result"]["list"]


def get_all(client: httpx.Client, account: dict[str, str], path: str, query: str) -> list[Any]:
    rows: list[Any] = []
    cursor = ""
    while True:
        text = f"{query}&cursor={cursor}"
        headers = sign(account, text, str(time.time_ns() // 1_000_000))
        result = client.get(f"{path}?{text}", headers=headers).json()["result"]
        rows += result["list"]
        cursor = result["nextPageCursor"]
        if not cursor:
            return rows


def place_until_it_dies(
    client: httpx.Client, account: dict[str, str], name: str, acknowledged: list[str]
) -> None:
    """Place orders one after the other; those answered with 0 are acknowledged."""
    for number in range(100_000):
        link = f"{name}-{number}"
        try:
            answer = post(
                client,
                account,
                "/v5/order/create",
                category="linear",
                symbol="BTCUSDT",
                side="Buy",
                orderType="Market" if number % 3 == 0 else "Limit",
                qty="0.001",
                price="50000",
                orderLinkId=link,
            )
            if answer["retCode"] == 0:
                acknowledged.append(link)
            if number % 3 == 1 and answer["retCode"] == 0:
                order = answer["result"]["orderId"]
                market = {"category": "linear", "symbol": "BTCUSDT"}
                post(client, account, "/v5/order/cancel", orderId=order, **market)
        except (httpx.HTTPError, OSError):
            return


@pytest.mark.parametrize("after_s", [0.3, 0.9])
def test_what_was_acknowledged_outlives_a_kill(tmp_path: Path, after_s: float) -> None:
    state = ("--state", str(tmp_path / "state"), "--lift-limits")
    acknowledged: list[str] = []
    with running(tmp_path, *state) as (process, url), httpx.Client(base_url=url) as client:
        account = client.post("/twin/accounts", json={"balances": {"USDT": "5000000"}}).json()
        workers = [
            threading.Thread(
                target=place_until_it_dies, args=(client, account, f"w{n}", acknowledged)
            )
            for n in range(3)
        ]
        for worker in workers:
            worker.start()
        threading.Event().wait(after_s)
        process.send_signal(signal.SIGKILL)
        for worker in workers:
            worker.join()
    assert len(acknowledged) > 10
    with running(tmp_path, *state) as (_, url), httpx.Client(base_url=url, timeout=20) as client:
        market = "category=linear&symbol=BTCUSDT"
        for link in acknowledged:
            query = f"{market}&orderLinkId={link}"
            found = get(client, account, "/v5/order/realtime", query)
            # The venue tells the last 500 that closed; older ones are in the history.
            found = found or get(client, account, "/v5/order/history", query)
            assert found, f"{link} was acknowledged and is gone"
        held = get(client, account, "/v5/position/list", market)[0]
        traded = len(get_all(client, account, "/v5/execution/list", f"{market}&limit=100"))
        assert int(float(held["size"]) * 1000 + 0.5) == traded


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with running(tmp_path) as (_, url):
        port = url.rpartition(":")[2]
        done = subprocess.run(
            [sys.executable, "-m", "openalpha", "twin", "--port", port],
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
    assert done.returncode == 5
    assert port in done.stderr and "Traceback" not in done.stderr


def test_it_ends_cleanly_when_asked(tmp_path: Path) -> None:
    with running(tmp_path, "--state", str(tmp_path / "state")) as (process, _):
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) in (0, -signal.SIGTERM)
    assert list((tmp_path / "state").glob("state-*.bin"))
