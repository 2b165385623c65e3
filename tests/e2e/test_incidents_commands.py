"""`openalpha incidents` as a user types it."""

import json
import os
import subprocess
import sys
from pathlib import Path

from openalpha.core.messages import Environment
from openalpha.trading.orders.side import Incident
from openalpha.trading.run.incidents import IncidentBook


def openalpha(*arguments: str, code: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "openalpha", "incidents", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ},
        timeout=120,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    return done.stdout + done.stderr


def test_an_incident_is_listed_shown_and_settled_by_one_command(home: Path) -> None:
    book = IncidentBook(home, Environment.LIVE)
    kept = book.add(Incident("foreign_order", "order 5 is none of this run's", 5), run_id="r1")
    assert kept.id in openalpha("list") and "order 5" in openalpha("list", "--env", "live")
    assert "No incident is open" in openalpha("list", "--env", "twin")
    shown = openalpha("show", kept.id[:5])
    assert "run r1" in shown and f"openalpha incidents settle {kept.id}" in shown
    assert "say in a few words" in openalpha("settle", kept.id, code=1)
    openalpha("settle", kept.id, "--note", "my own order", "--quiet")
    assert "No incident is open" in openalpha("list")
    listed = json.loads(openalpha("list", "--all", "--json", "-", "--quiet"))
    assert [one["note"] for one in listed["incidents"]] == ["my own order"]
    assert "settled already" in openalpha("settle", kept.id, "--note", "again", code=1)


def test_wrong_names_are_said_plainly(home: Path) -> None:
    assert "no incident 'abc'" in openalpha("show", "abc", code=1)
    assert "'moon' is no environment" in openalpha("list", "--env", "moon", code=1)
