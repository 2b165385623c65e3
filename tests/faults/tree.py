"""A whole installation as processes of its own: exchange, trader, guardian and database.

Each of them is killed by kill -9 and started again, as a supervisor would; what is started again
too soon, while another is still down, ends with a sentence and is started once more.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from openalpha.core.messages import Environment
from openalpha.store.exchange_key import ExchangeKey
from openalpha.store.keys import Vault
from openalpha.store.run_log import FrameKind, read
from openalpha.trading.run.folder import RunFolder, run_folders
from tests.fakes.postgres_server import PostgresServer

__all__ = ["PARTS", "Tree", "as_installed", "free_port"]

PARTS = ("trader", "exchange", "guardian", "database")
RUN = (
    "run", "--env", "twin", "--feed", "lockstep", "--timeframe", "1m", "--capital", "40000",
    "--strategy", "ma_cross", "--instrument", "bybit_linear:BTCUSDT",
    "--strategy", "rsi_reversion", "--instrument", "bybit_linear:ETHUSDT",
    "--param", "ma_cross.fast=2", "--param", "ma_cross.slow=5", "--param", "rsi_reversion.period=3",
)  # fmt: skip
_MARKETS = ("--market", "linear:BTCUSDT=60000", "--market", "linear:ETHUSDT=3000")
_PATIENCE_S = 300.0


def as_installed() -> dict[str, str]:
    """The environment of a process as an installation has it: byte code is kept."""
    return {name: what for name, what in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def free_port() -> int:
    """A port of this machine that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Tree:
    """The processes of one installation in a folder; `tend` keeps every part alive.

    Parameters
    ----------
    folder : Path
        Everything is kept under it.
    database : PostgresServer or None
        Where the ledger is; None keeps it in a file of the home.
    minutes : int
        How long the run lasts, on the exchange's clock.
    """

    folder: Path
    database: PostgresServer | None
    minutes: int
    port: int = field(default_factory=free_port)
    parts: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)
    codes: list[tuple[str, int]] = field(default_factory=list)
    is_over: bool = False
    _has_begun: bool = False

    def __post_init__(self) -> None:
        self.home = self.folder / "home"
        self.home.mkdir(parents=True)
        (self.home / "LAYOUT").write_text("1\n")
        self._said: IO[bytes] = (self.folder / "said.txt").open("ab")
        self.environment = {
            **as_installed(),
            "OPENALPHA_HOME": str(self.home),
            # On a busy machine a trader may be down for a minute; stepping in is tried elsewhere.
            "OPENALPHA_GUARDIAN__SILENT_CANCEL_MS": "600000",
        }
        if self.database is not None:
            self.environment["OPENALPHA_BOOKS__DATABASE_URL"] = self.database.url

    @property
    def url(self) -> str:
        """Where the exchange is."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def run(self) -> RunFolder | None:
        """The run, once it began."""
        return next(run_folders(self.home, Environment.TWIN), None)

    def begin(self) -> None:
        """Start the exchange, open an account with two keys, then start the others."""
        self._start("exchange")
        self._until(self._answers, "the exchange does not answer")
        made = self.ask("/twin/accounts", {"balances": {"USDT": "50000"}})
        other = self.ask("/twin/keys", {"uid": made["uid"]})
        vault = Vault(self.home, environ={}, source="file")
        vault.put("twin", ExchangeKey(made["api_key"], made["api_secret"], self.url))
        vault.put("twin.guardian", ExchangeKey(other["api_key"], other["api_secret"], self.url))
        self._start("guardian")
        self._start("trader")
        self._has_begun = True
        self._until(self._goes_on(0), "the run does not lead its first bar")

    def kill(self, name: str, *, down_s: float) -> float:
        """End a part at once and leave it down for a while.

        Returns the seconds from its being started again until the run has led one more bar.
        """
        if name == "database":
            assert self.database is not None
            self.database.kill()
        else:
            self.parts[name].send_signal(signal.SIGKILL)
            self.parts.pop(name).wait()
        time.sleep(down_s)
        before, began_s = self.bars(), time.monotonic()
        self.tend()
        self._until(self._goes_on(before), f"the run did not go on after a kill of the {name}")
        return time.monotonic() - began_s

    def tend(self) -> None:
        """Start again what is not there."""
        if self.database is not None and not self.database.is_up:
            self.database.start()
        for name, process in list(self.parts.items()):
            code = process.poll()
            if code is None:
                continue
            self.codes.append((name, code))
            del self.parts[name]
            if name == "trader" and (code == 0 or (code == 1 and self._has_ended())):
                self.is_over = True
        for name in ("exchange", "guardian"):
            if name not in self.parts:
                self._start(name)
        # A trader started while the exchange is down says so and ends: it would be started again.
        if "trader" not in self.parts and not self.is_over and self._answers():
            self._start("trader")

    def finish(self) -> None:
        """Let the run come to its end by itself, and the exchange be there to be asked."""
        self._until(lambda: self.is_over, "the run did not end", patience_s=1200.0)
        # The run may have ended just before the exchange was killed.
        self._until(self._answers, "the exchange does not answer")

    def bars(self) -> int:
        """Rows of bars on the run's log: a run that only says what it was not answered stands."""
        folder = self.run
        if folder is None or not folder.log.is_dir():
            return 0
        return sum(1 for _ in read(folder.log, {FrameKind.FEED}))

    def said(self) -> str:
        """What the processes said last, for a failure's words."""
        return (self.folder / "said.txt").read_text(errors="replace")[-3000:]

    def ask(self, path: str, content: dict[str, Any]) -> dict[str, Any]:
        """Ask the exchange's own addresses."""
        body, kind = json.dumps(content).encode(), {"Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, body, kind)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return dict(json.loads(answer.read()))

    def close(self) -> None:
        """End every process."""
        for process in self.parts.values():
            process.kill()
        for process in self.parts.values():
            process.wait()
        self.parts.clear()
        self._said.close()

    def _has_ended(self) -> bool:
        """Whether the run ended just before it was killed: then it is not led again."""
        return self.run is not None and self.run.status().get("mode") == "ended"

    def _command(self, name: str) -> Sequence[str]:
        if name == "exchange":
            state = str(self.folder / "exchange")
            served = ("--port", str(self.port), "--lockstep", "--lift-limits", "--state", state)
            return ("twin", *served, *_MARKETS, "--quiet")
        if name == "guardian":
            return ("guardian", "--env", "twin", "--quiet")
        folder = self.run
        if folder is None:
            return (*RUN, "--for", f"{self.minutes}m", "--quiet")
        return ("run", "--resume", folder.id, "--quiet")

    def _start(self, name: str) -> None:
        command = [sys.executable, "-m", "openalpha", *self._command(name)]
        self.parts[name] = subprocess.Popen(
            command, env=self.environment, stdout=self._said, stderr=self._said
        )

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/v5/market/time", timeout=0.2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def _goes_on(self, before: int) -> Any:
        return lambda: self.is_over or self.bars() > before

    def _until(self, holds: Any, words: str, *, patience_s: float = _PATIENCE_S) -> None:
        ends_s = time.monotonic() + patience_s
        while not holds():
            assert time.monotonic() < ends_s, f"{words}: {self.codes[-5:]} {self.said()}"
            time.sleep(0.05)
            if self._has_begun:
                self.tend()
