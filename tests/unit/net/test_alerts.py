"""The queue of alerts: it never holds up who alerts, and a failure is told back."""

import threading

import pytest

from openalpha.core.errors import ConfigError
from openalpha.net.alerts import Alert, Alerts, AppriseAlerts, Severity, Undelivered


def alert(words: str = "it broke", severity: Severity = Severity.CRITICAL) -> Alert:
    return Alert(words, severity, 1_700_000_000_000, "live")


class Port:
    """Takes alerts, or does not."""

    def __init__(self, fails: bool = False) -> None:
        self.sent: list[Alert] = []
        self.fails = fails
        self.is_open = threading.Event()
        self.is_open.set()

    def send(self, alert: Alert) -> tuple[Undelivered, ...]:
        self.is_open.wait(10)
        self.sent.append(alert)
        return (Undelivered("mail", "full"),) if self.fails else ()


def test_alerts_arrive_in_order_and_the_less_urgent_do_not() -> None:
    port = Port()
    alerts = Alerts(port, on_failure=lambda *_: None)
    alerts.tell(alert("a"))
    alerts.tell(alert("quiet", Severity.INFO))
    alerts.tell(alert("b", Severity.WARNING))
    alerts.close()
    assert [one.words for one in port.sent] == ["a", "b"]
    assert port.sent[0].title == "OpenAlpha live: critical"


def test_a_failure_is_told_back_with_its_place() -> None:
    failed: list[tuple[str, str]] = []
    alerts = Alerts(
        Port(fails=True), on_failure=lambda one, at: failed.append((one.words, at[0].where))
    )
    alerts.tell(alert())
    alerts.close()
    assert failed == [("it broke", "mail")]


def test_without_an_address_every_alert_is_a_failure() -> None:
    failed: list[str] = []
    alerts = Alerts(None, on_failure=lambda one, at: failed.append(at[0].why))
    alerts.tell(alert())
    alerts.close()
    assert failed == ["no alert address is set (alerts.urls)"]


def test_the_same_words_are_sent_once_in_a_while() -> None:
    port, now = Port(), [0.0]
    alerts = Alerts(port, on_failure=lambda *_: None, repeat_s=60, steady_s=lambda: now[0])
    for at in (0.0, 59.0, 61.0, 100.0):
        now[0] = at
        alerts.tell(alert("again"))
        alerts.tell(alert(f"at {at}"))
    alerts.close()
    assert [one.words for one in port.sent].count("again") == 2
    assert len(port.sent) == 6


def test_a_port_that_hangs_holds_nobody_up_and_the_overflow_is_told() -> None:
    port, failed = Port(), []
    port.is_open.clear()
    alerts = Alerts(port, on_failure=lambda one, at: failed.append(at[0].why))
    for number in range(300):
        alerts.tell(alert(f"number {number}"))
    port.is_open.set()
    alerts.close()
    assert len(port.sent) + len(failed) == 300
    assert set(failed) == {"too many alerts wait already"}


@pytest.mark.parametrize(
    ("urls", "words"),
    [
        ([], "no alert address is set"),
        (["json://127.0.0.1:1", "nonsense://secret-token"], r"address 2 \(nonsense:…\)"),
        (["secret"], "address 1"),
    ],
)
def test_addresses_that_will_not_do_are_not_repeated(urls: list[str], words: str) -> None:
    with pytest.raises(ConfigError, match=words) as told:
        AppriseAlerts(urls)
    assert "token" not in str(told.value)


def test_shown_addresses_hide_their_secrets() -> None:
    (shown,) = AppriseAlerts(["json://user:very-secret@127.0.0.1:1/path"]).addresses
    assert "very-secret" not in shown and "cto" not in shown


def test_of_what_a_run_says_the_notable_is_sent() -> None:
    from openalpha.cli.alert_port import Announcer

    port, shown = Port(), []
    alerts = Alerts(port, on_failure=lambda *_: None)
    hear = Announcer(shown.append, alerts, "twin")
    for words in ("2 inputs were applied", "risk is halted: locked", "the run is ended: over"):
        hear(words)
    alerts.close()
    assert len(shown) == 3
    assert [(one.words, one.severity.name) for one in port.sent] == [
        ("risk is halted: locked", "CRITICAL"),
        ("the run is ended: over", "WARNING"),
    ]
