"""What hurt others by liquidation, waiting and asking too much; without its guard each is red.

The loop's own memory over days: `test_soak.py`.
"""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from openalpha.core.clock import ManualClock
from openalpha.core.errors import VenueUnavailable
from openalpha.core.instruments import RiskTier
from openalpha.core.reasons import Reason
from openalpha.net import HttpTransport, Request
from openalpha.net.budget import RESERVED, Priority, RateBudget, RateLimit
from openalpha.net.transport import HttpTransport as Transport
from openalpha.venue import rules
from openalpha.venue.kernel import layout as at
from openalpha.venue.kernel.setup import Tier
from tests.fakes.small_market import linear, market, run_targets

SILENT_S = 2.0


def the_lowest_price_survived(low: float) -> bool:
    """Whether 1,000 BTC at 100, ten times leveraged, live through a fall to a price."""
    tiers = (
        RiskTier(Decimal(20_000), Decimal("0.01"), Decimal("0.02"), Decimal(50), Decimal(0)),
        RiskTier(Decimal(10**9), Decimal("0.02"), Decimal("0.04"), Decimal(25), Decimal(200)),
    )
    rows = [100, 100, (100, 100, low, 95, 10_000_000), 95, 95]
    history = market(rows, instrument=linear(tiers=tiers))
    run = run_targets(
        history,
        [1, None, None, None, None],
        margin={"mode": "isolated", "leverage": 10},
        sizing={"kind": "all_in", "reserve_bps": 0},
    )
    assert run.fills.rows[0][at.F_QTY] == 1_000_000, "1,000 BTC"
    forced = (Reason.LIQUIDATION_PARTIAL, Reason.LIQUIDATION_TAKEOVER)
    return not any(row[at.F_REASON] in forced for row in run.fills.rows.tolist())


def liquidated_at_the_price_of_its_tier() -> None:
    """https://github.com/freqtrade/freqtrade/issues/13456"""
    # Entry less (margin less maintenance) / size: 100 - (10,000 - (2 % of 100,000 - 200)) / 1,000.
    # Without the deduction it would be 92.0, by the first tier's rate 91.0.
    assert the_lowest_price_survived(91.9)
    assert not the_lowest_price_survived(91.8)


def opening_a_chart_leaves_room_for_a_cancel(folder: Path) -> None:
    """https://github.com/freqtrade/freqtrade/issues/11025"""
    clock, limit = ManualClock(1_700_000_000_000), RateLimit(per_s=1.0, burst=20.0)
    budget = RateBudget(folder, "venue", limit=limit, clock=clock, pause=lambda seconds: None)
    for priority in (Priority.UI, Priority.DATA):
        for _ in range(100):
            if not taken(budget, priority):
                break
    assert taken(budget, Priority.ORDERS), "an order goes"
    assert taken(budget, Priority.RISK), "a cancel goes"


def taken(budget: RateBudget, priority: Priority) -> bool:
    try:
        budget.take(priority, wait_at_most_s=0)
    except VenueUnavailable:
        return False
    return True


def a_network_fault_does_not_make_the_loop_late() -> None:
    """https://github.com/freqtrade/freqtrade/issues/10933"""
    with dripping() as url, HttpTransport(timeout_s=0.3, total_s=0.5) as network:
        began_s = time.monotonic()
        with suppress(VenueUnavailable):
            network.send(Request(url))
        assert time.monotonic() - began_s < SILENT_S, "every wait is bounded"


@contextmanager
def dripping() -> Iterator[str]:
    """A server that sends a byte now and then, for longer than anybody should wait."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        is_over = threading.Event()

        def drip() -> None:
            connection, _ = server.accept()
            with connection:
                head = b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n"
                connection.sendall(head)
                for _ in range(40):
                    if is_over.wait(SILENT_S / 20):
                        return
                    try:
                        connection.sendall(b"x")
                    except OSError:
                        return

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
        finally:
            is_over.set()
            thread.join(timeout=10)


def test_liquidation_is_by_the_tier_with_its_deduction() -> None:
    liquidated_at_the_price_of_its_tier()


def test_it_would_be_elsewhere_without_the_deduction(monkeypatch: pytest.MonkeyPatch) -> None:
    """Guard: each tier's deduction goes to the kernel (`rules.instrument_setup`)."""

    def without(**given: Any) -> Tier:
        return Tier(**{**given, "deduction": 0})

    monkeypatch.setattr(rules, "Tier", without)
    with pytest.raises(AssertionError):
        liquidated_at_the_price_of_its_tier()


def test_it_would_be_elsewhere_by_the_initial_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Guard: the maintenance rate is the maintenance rate."""

    def confused(**given: Any) -> Tier:
        return Tier(**{**given, "maintenance_e8": 2 * given["maintenance_e8"]})

    monkeypatch.setattr(rules, "Tier", confused)
    with pytest.raises(AssertionError):
        liquidated_at_the_price_of_its_tier()


def test_a_chart_never_starves_a_cancel(tmp_path: Path) -> None:
    opening_a_chart_leaves_room_for_a_cancel(tmp_path)


def test_it_would_without_reserves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guard: what each class must leave to those before it (`RESERVED`)."""
    for priority in Priority:
        monkeypatch.setitem(RESERVED, priority, 0.0)
    with pytest.raises(AssertionError):
        opening_a_chart_leaves_room_for_a_cancel(tmp_path)


def test_a_dripping_answer_is_given_up_in_time() -> None:
    a_network_fault_does_not_make_the_loop_late()


def test_it_would_be_waited_for_without_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Guard: the time a request may take in all (`total_s`), however often a byte comes."""
    made: Callable[..., None] = Transport.__init__

    def patient(self: Transport, **given: Any) -> None:
        made(self, **{**given, "total_s": 60.0})

    monkeypatch.setattr(Transport, "__init__", patient)
    with pytest.raises(AssertionError):
        a_network_fault_does_not_make_the_loop_late()
