"""Alerts over real HTTP, as the command and the guardian's port send them."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from pydantic import SecretStr

from openalpha.net.alerts import Alert, AppriseAlerts, Severity


class Inbox:
    """An HTTP server that keeps what it is sent."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, str]] = []
        self.status = 200
        inbox = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                size = int(self.headers["Content-Length"])
                inbox.bodies.append(json.loads(self.rfile.read(size)))
                self.send_response(inbox.status)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                del format, args

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"json://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    made = Inbox()
    made.thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_what_is_sent_arrives(inbox: Inbox) -> None:
    port = AppriseAlerts([inbox.url])
    assert port.send(Alert("the loop is halted", Severity.CRITICAL, 0, "twin")) == ()
    (body,) = inbox.bodies
    assert body["title"] == "OpenAlpha twin: critical"
    assert body["message"] == "the loop is halted\n1970-01-01T00:00:00Z"


def test_one_address_that_fails_keeps_nothing_from_the_others(inbox: Inbox) -> None:
    port = AppriseAlerts(["json://127.0.0.1:9", inbox.url])
    failed = port.send(Alert("x", Severity.INFO, 0))
    assert [one.where.startswith("json://127.0.0.1:9") for one in failed] == [True]
    assert len(inbox.bodies) == 1
    inbox.status = 500
    assert len(port.send(Alert("x", Severity.INFO, 0))) == 2


def told(home: Path, urls: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "openalpha", "alerts", "test", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "OPENALPHA_HOME": str(home), "OPENALPHA_ALERTS__URLS": urls},
        timeout=120,
        check=False,
    )


def test_the_command_says_what_arrived(inbox: Inbox, home: Path) -> None:
    done = told(home, inbox.url, "--message", "hello")
    assert done.returncode == 0 and done.stdout.startswith("sent"), done.stderr
    assert inbox.bodies[0]["message"].startswith("hello")
    done = told(home, f"{inbox.url} json://user:very-secret@127.0.0.1:9")
    assert done.returncode == 5 and "1 of 2 addresses did not take" in done.stderr
    assert "very-secret" not in done.stdout + done.stderr
    assert told(home, "").returncode == 1


def test_an_alert_that_fails_is_an_incident(inbox: Inbox, home: Path) -> None:
    from openalpha.cli.alert_port import alerts_of
    from openalpha.core.messages import Environment
    from openalpha.net.alert_settings import AlertSettings
    from openalpha.trading.run.incidents import IncidentBook

    inbox.status = 500
    alerts = alerts_of(AlertSettings(urls=SecretStr(inbox.url)), home, environment="twin")
    for words in ("the trader is silent", "risk is halted"):
        alerts.tell(Alert(words, Severity.CRITICAL, 7, "twin"))
    alerts.close()
    (incident,) = IncidentBook(home, Environment.TWIN).open_ones()
    assert (incident.code, incident.count) == ("alert_failed", 2)


def test_without_an_address_an_alert_is_an_act_on_the_trail(home: Path) -> None:
    from openalpha.cli.alert_port import alerts_of
    from openalpha.core.messages import Environment
    from openalpha.net.alert_settings import AlertSettings
    from openalpha.store.audit import AuditTrail
    from openalpha.trading.run.incidents import IncidentBook

    alerts = alerts_of(AlertSettings(), home, environment="twin")
    alerts.tell(Alert("the trader is silent", Severity.CRITICAL, 7, "twin"))
    alerts.close()
    (act,) = AuditTrail(home).acts()
    assert (act.name, act.details["words"]) == ("alert", "the trader is silent")
    assert "no alert address is set" in act.details["failed"]
    assert IncidentBook(home, Environment.TWIN).open_ones() == []
