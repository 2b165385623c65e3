"""The rate budget on a real Redis server: shared by processes, never blocked by one that died."""

import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from openalpha.core.clock import SystemClock
from openalpha.core.errors import ConfigError, StorageError, VenueUnavailable
from openalpha.net import Priority, RateBroker, RateLimit, Use, WindowLimit
from openalpha.net.redis_records import RedisRecords

pytest.importorskip("redis", reason="the Redis client is an extra: pip install openalpha[redis]")
SERVER = shutil.which("redis-server")
pytestmark = pytest.mark.skipif(SERVER is None, reason="redis-server is not installed here")
TAKING = """
    import sys
    from openalpha.core.clock import SystemClock
    from openalpha.core.errors import VenueUnavailable
    from openalpha.net import Priority, RateBroker, RateLimit
    from openalpha.net.redis_records import RedisRecords
    broker = RateBroker(RedisRecords(sys.argv[1]), clock=SystemClock(), limit=RateLimit(0.1, 100))
    count = 0
    try:
        while True:
            broker.take("venue.test", Priority.RISK, wait_at_most_s=0)
            count += 1
    except VenueUnavailable:
        print(count)
"""
HOLDING = """
    import sys, time
    from openalpha.net.redis_records import RedisRecords
    with RedisRecords(sys.argv[1]).change("a") as record:
        print("held", flush=True)
        time.sleep(600)
"""


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    assert SERVER is not None
    path = tmp_path / "redis.sock"
    server = subprocess.Popen(
        [SERVER, "--port", "0", "--unixsocket", str(path), "--save", "", "--dir", str(tmp_path)],
        stdout=subprocess.DEVNULL,
    )
    ends = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < ends
        time.sleep(0.02)
    yield f"unix://{path}"
    server.terminate()
    server.wait(timeout=20)


def process(code: str, url: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), url], stdout=subprocess.PIPE, text=True
    )


def test_processes_share_one_count(url: str) -> None:
    full = f"[100.0,{SystemClock().now_ms()},0]"
    with RedisRecords(url).change("budget-venue.test") as record:
        import json

        record[:] = json.loads(full)
    running = [process(TAKING, url) for _ in range(3)]
    taken = [int(one.communicate(timeout=60)[0]) for one in running]
    assert 100 <= sum(taken) <= 103, "a hundred, and what is refilled in seconds"


def test_a_key_window_is_one_for_all(url: str) -> None:
    limit = RateLimit(per_s=100, burst=100)
    use = (Use("key-order", WindowLimit(5, span_ms=60_000)),)
    one, two = (RateBroker(RedisRecords(url), clock=SystemClock(), limit=limit) for _ in range(2))
    with RedisRecords(url).change("budget-venue.test") as record:
        record[:] = [100.0, SystemClock().now_ms(), 0]
    for number in range(5):
        (one, two)[number % 2].take("venue.test", Priority.RISK, uses=use, wait_at_most_s=0)
    with pytest.raises(VenueUnavailable):
        two.take("venue.test", Priority.RISK, uses=use, wait_at_most_s=0)


def test_a_holder_that_died_holds_nothing_up_for_long(url: str) -> None:
    holder = process(HOLDING, url)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    holder.stdout.close()
    with pytest.raises(StorageError), RedisRecords(url).change("a", wait_at_most_s=0.1):
        pass
    with RedisRecords(url).change("a", wait_at_most_s=5.0) as record:
        record.append(1)
    with RedisRecords(url).change("a") as record:
        assert record == [1]


def test_a_server_that_is_gone_stops_orders_but_never_what_is_risk(tmp_path: Path) -> None:
    records = RedisRecords(f"unix://{tmp_path}/none.sock")
    broker = RateBroker(records, clock=SystemClock(), limit=RateLimit(per_s=10, burst=10))
    with pytest.raises(StorageError, match="Redis cannot be reached"):
        broker.take("venue.test", Priority.ORDERS, wait_at_most_s=0)
    broker.take("venue.test", Priority.RISK, wait_at_most_s=0)


def test_an_address_that_is_none() -> None:
    with pytest.raises(ConfigError, match="no address of Redis"):
        RedisRecords("nonsense")
