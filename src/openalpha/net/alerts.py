"""The alert port: a sentence goes to whoever is to be told, and a failure to tell is told back.

Sending is bounded in time and never holds up who alerts: a thread sends what a queue holds. What
could not be delivered is handed to `on_failure`, for a failing alert is an incident itself.
"""

import logging
import queue
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Protocol

from openalpha.core.clock import format_ms
from openalpha.core.errors import ConfigError

__all__ = ["Alert", "AlertPort", "Alerts", "AppriseAlerts", "Severity", "Undelivered"]

_QUEUED = 200
_TIMEOUTS = "cto=4&rto=6"


class Severity(IntEnum):
    """How urgent: INFO tells, WARNING wants a look, CRITICAL wants a person now."""

    INFO = 0
    WARNING = 1
    CRITICAL = 2


@dataclass(frozen=True, slots=True)
class Alert:
    """What somebody is told.

    Parameters
    ----------
    words : str
        One or more sentences; never a secret.
    severity : Severity
    ts_ms : int
        When it happened, UTC ms.
    environment : str
        As `live`; empty where there is none.
    """

    words: str
    severity: Severity
    ts_ms: int
    environment: str = ""

    @property
    def title(self) -> str:
        """Return the first line of a message."""
        where = f" {self.environment}" if self.environment else ""
        return f"OpenAlpha{where}: {self.severity.name.lower()}"


@dataclass(frozen=True, slots=True)
class Undelivered:
    """An address that did not take an alert, its secrets masked, and why."""

    where: str
    why: str


class AlertPort(Protocol):
    """Sends one alert and waits for the answers, for a bounded time."""

    def send(self, alert: Alert) -> tuple[Undelivered, ...]:
        """Return where it did not arrive; empty: everywhere it was to."""
        ...


class AppriseAlerts:
    """Alerts by the addresses Apprise understands: mail, chat, push, plain HTTP.

    Parameters
    ----------
    urls : sequence of str

    Raises
    ------
    ConfigError
        If there is none, or one is not understood; its text is not repeated, it holds secrets.
    """

    def __init__(self, urls: Sequence[str]) -> None:
        if not urls:
            raise ConfigError("no alert address is set; set alerts.urls")
        # It would log addresses on its own.
        logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
        self._services: list[Any] = []
        for number, url in enumerate(urls, 1):
            service = _service(f"{url}{'&' if '?' in url else '?'}{_TIMEOUTS}")
            if service is None:
                kind = url.partition(":")[0][:12]
                raise ConfigError(
                    f"alert address {number} ({kind}:…) is not understood; write it as the list of "
                    "Apprise's services says"
                )
            self._services.append(service)

    @property
    def addresses(self) -> list[str]:
        """Return where alerts go, secrets masked."""
        return [_masked(service) for service in self._services]

    def send(self, alert: Alert) -> tuple[Undelivered, ...]:
        """Send to every address; see `AlertPort.send`."""
        import apprise

        kinds = (apprise.NotifyType.INFO, apprise.NotifyType.WARNING, apprise.NotifyType.FAILURE)
        body = f"{alert.words}\n{format_ms(alert.ts_ms)}"
        failed = []
        for service in self._services:
            why = "it was not taken"
            try:
                is_taken = service.notify(
                    body=body, title=alert.title, notify_type=kinds[alert.severity]
                )
            except Exception as error:  # noqa: BLE001 - whatever a service does, the others are told
                is_taken, why = False, type(error).__name__
            if not is_taken:
                failed.append(Undelivered(_masked(service), why))
        return tuple(failed)


class Alerts:
    """The queue before a port, with a thread that sends.

    Parameters
    ----------
    port : AlertPort or None
        None: alerts are counted as undelivered, for somebody should have been told.
    least : Severity
        What is less urgent is not sent.
    repeat_s : float
        The same words are sent once in so long.
    on_failure : callable
        Given an alert and where it did not arrive; called in the sending thread.
    steady_s : callable
        A clock that never jumps, in seconds.
    """

    def __init__(
        self,
        port: AlertPort | None,
        *,
        least: Severity = Severity.WARNING,
        repeat_s: float = 300.0,
        on_failure: Callable[[Alert, tuple[Undelivered, ...]], object],
        steady_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._port, self._least, self._repeat_s = port, least, repeat_s
        self._on_failure, self._steady_s = on_failure, steady_s
        self._queue: queue.Queue[Alert | None] = queue.Queue(_QUEUED)
        self._sent: dict[tuple[str, str], float] = {}
        self._thread = threading.Thread(target=self._work, name="alerts", daemon=True)
        self._thread.start()

    def tell(self, alert: Alert) -> None:
        """Have an alert sent soon. Returns at once and never raises."""
        if alert.severity < self._least or self._is_repeat(alert):
            return
        try:
            self._queue.put_nowait(alert)
        except queue.Full:
            self._fail(alert, "too many alerts wait already")

    def close(self, *, wait_s: float = 15.0) -> None:
        """Send what waits, for at most so long, and end."""
        try:
            self._queue.put(None, timeout=wait_s)
        except queue.Full:
            return
        self._thread.join(timeout=wait_s)

    def _is_repeat(self, alert: Alert) -> bool:
        now, name = self._steady_s(), (alert.environment, alert.words)
        self._sent = {key: at for key, at in self._sent.items() if now - at < self._repeat_s}
        if name in self._sent:
            return True
        self._sent[name] = now
        return False

    def _work(self) -> None:
        while (alert := self._queue.get()) is not None:
            if self._port is None:
                self._fail(alert, "no alert address is set (alerts.urls)")
                continue
            failed = self._port.send(alert)
            if failed:
                self._on_failure(alert, failed)

    def _fail(self, alert: Alert, why: str) -> None:
        self._on_failure(alert, (Undelivered("nowhere", why),))


def _service(url: str) -> Any:
    """Return Apprise's service of an address, None if it knows none."""
    with warnings.catch_warnings():
        # Some of its services use modules that Python will drop; they are not ours to mend.
        warnings.simplefilter("ignore", DeprecationWarning)
        import apprise

        return apprise.Apprise.instantiate(url, suppress_exceptions=True)


def _masked(service: Any) -> str:
    return str(service.url(privacy=True)).partition("?")[0]
