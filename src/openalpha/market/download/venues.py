"""Wires a download: transport, budget, patience and the source that fits the market."""

import threading
from pathlib import Path

from openalpha.core.clock import Clock
from openalpha.market.download.bybit import BybitSource, judge_bybit
from openalpha.market.download.generic import CcxtSource
from openalpha.market.download.pages import Collector
from openalpha.market.download.settings import DownloadSettings
from openalpha.net import (
    Patience,
    PatientTransport,
    Priority,
    RateBudget,
    RateLimit,
    Transport,
    judge_status,
)

__all__ = ["Wiring"]

_BURST_S = 2.0


class Wiring:
    """Makes what a download needs, all on one transport and one budget a host.

    Parameters
    ----------
    transport : Transport
        The bare network.
    home : Path
        Where the shared budget lives.
    settings : DownloadSettings
    clock : Clock
    """

    def __init__(
        self, transport: Transport, *, home: Path, settings: DownloadSettings, clock: Clock
    ) -> None:
        self._transport = transport
        self._home = home
        self._settings = settings
        self._clock = clock

    def collector(self, market: str, stop: threading.Event, *, base_url: str = "") -> Collector:
        """Return a collector for one thread.

        Parameters
        ----------
        base_url : str
            Another server; empty: the venue's own.

        Raises
        ------
        InputError
            If no venue is behind the market, or the address is none.
        """
        is_bybit = market.startswith("bybit_")
        patient = self.patient(stop, is_bybit=is_bybit)
        kind = BybitSource if is_bybit else CcxtSource
        source = kind(market, patient, clock=self._clock, base_url=base_url)
        return Collector(
            source, stop, stop.wait, second_look_s=min(0.2, self._settings.first_wait_s)
        )

    def patient(self, stop: threading.Event, *, is_bybit: bool = False) -> Transport:
        """Return the transport: budgeted by host, trying again, waking up when stopped."""
        settings = self._settings
        per_s = settings.requests_per_s
        limit = RateLimit(per_s, max(10.0, _BURST_S * per_s))

        def budget_of(host: str) -> RateBudget:
            folder = self._home / "net"
            return RateBudget(folder, host, limit=limit, clock=self._clock, pause=stop.wait)

        return PatientTransport(
            self._transport,
            clock=self._clock,
            patience=Patience(settings.attempts, settings.first_wait_s),
            judge=judge_bybit if is_bybit else judge_status,
            budget_of=budget_of,
            priority=Priority.DATA,
            pause=stop.wait,
        )
