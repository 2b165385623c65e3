"""Builds the alert port of a home's settings for commands that tell people something."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from openalpha.core.errors import OpenAlphaError

if TYPE_CHECKING:
    from openalpha.net.alert_settings import AlertSettings
    from openalpha.net.alerts import Alert, Alerts, AppriseAlerts, Undelivered

__all__ = ["Announcer", "alerts_of", "port_of", "tell_once"]

_GRAVE = ("risk is", "incident", "NOT EQUAL", "the venue left", "a run is led no more")
_NOTABLE = ("the run is ended", "a run begins")


def port_of(settings: "AlertSettings") -> "AppriseAlerts":
    """Return the port to the addresses that are set.

    Raises
    ------
    ConfigError
        If none is set, or one is not understood.
    """
    from openalpha.net.alerts import AppriseAlerts

    return AppriseAlerts(settings.urls.get_secret_value().split())


def alerts_of(settings: "AlertSettings", home: Path, *, environment: str) -> "Alerts":
    """Return the alerts of an environment; one that does not arrive is an incident.

    Where no address is set each is an act in the audit trail instead.

    Raises
    ------
    ConfigError
        If an address is not understood.
    """
    from openalpha.books.accounts import environment_of
    from openalpha.net.alerts import Alerts, Severity
    from openalpha.store.audit import AuditTrail
    from openalpha.trading.orders.side import Incident
    from openalpha.trading.run.incidents import IncidentBook

    is_set = bool(settings.urls.get_secret_value().split())

    def failed(alert: "Alert", where: "tuple[Undelivered, ...]") -> None:
        # The same words each time: it is counted, not repeated.
        said = f"alerts do not arrive: {'; '.join(f'{one.where}: {one.why}' for one in where)}"
        try:
            if is_set:
                book = IncidentBook(home, environment_of(environment))
                book.add(Incident("alert_failed", said, alert.ts_ms), run_id="")
            else:
                AuditTrail(home).add(
                    "alert", environment=environment, words=alert.words, failed=said
                )
        except OpenAlphaError:
            return  # neither people nor the disk can be told; the log said so already

    return Alerts(
        port_of(settings) if is_set else None,
        least=Severity[settings.least.upper()],
        repeat_s=settings.repeat_s,
        on_failure=failed,
    )


class Announcer:
    """Hears what a run says: all of it is shown, what somebody should know is sent as well.

    Parameters
    ----------
    show : callable
        Given every sentence.
    alerts : Alerts
    environment : str
    """

    def __init__(self, show: Callable[[str], object], alerts: "Alerts", environment: str) -> None:
        self._show, self._alerts, self._environment = show, alerts, environment

    def __call__(self, words: str) -> None:
        """Take a sentence. Never raises for an alert and never waits for one."""
        from openalpha.core.clock import SystemClock
        from openalpha.net.alerts import Alert, Severity

        self._show(words)
        if words.startswith((*_GRAVE, *_NOTABLE)):
            severity = Severity.CRITICAL if words.startswith(_GRAVE) else Severity.WARNING
            self._alerts.tell(Alert(words, severity, SystemClock().now_ms(), self._environment))


def tell_once(home: Path, environment: str, words: str) -> None:
    """Tell people something grave, for at most a few seconds, whatever stands in the way.

    For an emergency stop: what cannot be told must not make it fail.
    """
    from openalpha.core.clock import SystemClock
    from openalpha.net.alerts import Alert, Severity
    from openalpha.settings import load_settings

    try:
        environ = {**os.environ, "OPENALPHA_HOME": str(home)}
        settings = load_settings(None, (), environ=environ).settings.alerts
        alerts = alerts_of(settings, home, environment=environment)
    except OpenAlphaError:
        return
    alerts.tell(Alert(words, Severity.CRITICAL, SystemClock().now_ms(), environment))
    alerts.close()
