"""The guardian: a small process beside the trader, with its own key, that steps in when it must.

It cancels or closes when the trader is silent, when equity breaks the limit that stands in code, or
when a STOP file lies in the home. It needs neither kernel nor database; a test counts its modules.
"""

import fcntl
import json
import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from openalpha.core.clock import Clock
from openalpha.core.errors import InputError, OpenAlphaError
from openalpha.risk.memory import RiskMemory
from openalpha.store.atomic import storage_errors, write_bytes
from openalpha.trading.safety.emergency import Stop, StopOrder, emergency_stop
from openalpha.trading.safety.emergency_lock import locked, safety_folder, stop_files
from openalpha.trading.safety.guardian_dcp import bared, switch_on
from openalpha.trading.safety.guardian_eyes import look
from openalpha.trading.safety.guardian_heartbeat import Heartbeat, Listener
from openalpha.trading.safety.guardian_rules import Act, GuardianRules, Verdict
from openalpha.trading.safety.guardian_settings import GuardianSettings
from openalpha.venue.bybit.client import BybitClient

__all__ = ["Guardian", "only_guardian"]

_log = logging.getLogger(__name__)
_STATE = "guardian.json"
_BLIND_AFTER = 5
_TOLD_EVERY = 60
"""Tries between two words that an act does not come to its end; the first is after three."""


class Guardian:
    """Guards one environment.

    Parameters
    ----------
    home : Path
    environment : str
    client : BybitClient
        Of the guardian's own key; its channel of the class RISK.
    settings : GuardianSettings
    clock : Clock
    tell : callable
        Given a sentence whenever a person should know; must not raise.
    """

    def __init__(
        self,
        home: Path,
        environment: str,
        client: BybitClient,
        *,
        settings: GuardianSettings,
        clock: Clock,
        tell: Callable[[str], object],
    ) -> None:
        self._home, self._environment, self._client = home, environment, client
        self._settings, self._clock, self._tell = settings, clock, tell
        self._rules = GuardianRules(settings)
        self._memory = RiskMemory(home, environment)
        self._listener = Listener(home, environment, role="trader")
        self._path = safety_folder(home, environment) / _STATE
        self._blind = self._unfinished = 0
        self._looked_ms: int | None = None
        self._said: set[str] = set()

    def run(self, *, until: Callable[[], bool], asked: threading.Event) -> None:
        """Look again and again, until told to end.

        Parameters
        ----------
        until : callable
            Whether to end, asked after each look.
        asked : threading.Event
            Set to end at once.

        Raises
        ------
        StorageError
            If the home cannot be written at the start.
        InputError
            If DCP is wanted and the exchange does not grant it.
        """
        if self._settings.dcp_window_s:
            switch_on(self._client, self._settings.dcp_window_s)
        heart = Heartbeat(self._home, self._environment, role="guardian")
        self._remember()
        try:
            while True:
                self._beat(heart)
                self.round()
                if asked.is_set() or until() or asked.wait(self._settings.poll_ms / 1000):
                    return
        finally:
            heart.end(self._clock.now_ms())

    def round(self) -> Verdict:
        """Look once, and do what must be done."""
        steady_ms = time.monotonic_ns() // 1_000_000
        verdicts = [self._rules.hear(self._listener.silent_ms(steady_ms)), self._stop_file()]
        # Acts that need no look at the venue come before it: the venue may hang.
        verdict = max(verdicts, key=lambda one: one.act)
        if verdict.act is Act.NOTHING and self._settings.dcp_window_s:
            verdict = self._after_dcp()
        if verdict.act is Act.NOTHING:
            verdict = self._weigh()
        if verdict.act is not Act.NOTHING:
            self._carry_out(verdict)
        return verdict

    def _stop_file(self) -> Verdict:
        files = stop_files(self._home, self._environment)
        return self._rules.see_stop_file(any(os.path.lexists(path) for path in files))

    def _after_dcp(self) -> Verdict:
        """Put back the stops that the exchange cancelled because the trader's line was dead."""
        try:
            naked = bared(self._client)
        except OpenAlphaError as error:
            _log.warning("dcp_not_seen error=%s", error.message)
            return Verdict()
        if not naked:
            return Verdict()
        names = ", ".join(one.position.symbol for one in naked)
        words = f"the exchange cancelled the stops of {names}: the trader's line was dead (DCP)"
        if self._settings.dcp_act == "flatten":
            return Verdict(Act.FLATTEN, words)
        self._tell(f"{words}; the guardian puts them back")
        try:
            for one in naked:
                self._client.positions.set_exits(one.position, stop_loss=one.stop)
        except OpenAlphaError as error:
            self._tell(f"a stop could not be put back: {error.message}")
            return Verdict(Act.CANCEL, words)
        return Verdict()

    def _weigh(self) -> Verdict:
        try:
            seen = look(self._client, since_ms=self._looked_ms)
        except OpenAlphaError as error:
            self._blind += 1
            if self._blind == _BLIND_AFTER:
                self._tell(f"the guardian cannot see the account: {error.message}")
            return Verdict()
        if self._blind >= _BLIND_AFTER:
            self._tell("the guardian sees the account again")
        self._blind, self._looked_ms = 0, seen.ts_ms
        if self._memory.take_peak_reset():
            self._rules.forget_peak()
        is_locked = locked(self._home, self._environment) is not None
        verdict = self._rules.weigh(seen.ts_ms, seen.equity, flows=seen.flows, is_locked=is_locked)
        self._keep()
        return verdict

    def _carry_out(self, verdict: Verdict) -> None:
        cause = "".join(letter for letter in verdict.words if not letter.isdigit())
        if cause not in self._said:
            self._said.add(cause)
            self._tell(f"the guardian acts ({verdict.act.name.lower()}): {verdict.words}")
        is_flatten = verdict.act is Act.FLATTEN
        order = StopOrder(
            self._home,
            self._environment,
            who="guardian",
            words=verdict.words,
            keep_positions=not is_flatten,
            locks=is_flatten,
            limit_s=max(self._settings.poll_ms / 1000, 5.0),
        )
        done = emergency_stop(order, self._client, clock=self._clock)
        if done.is_done:
            self._rules.done(verdict.act)
            self._said.clear()
            self._keep()
        self._report(done)

    def _report(self, done: Stop) -> None:
        counts = f"{done.cancelled} orders cancelled, {done.closing_orders} closing orders"
        if done.is_done:
            self._unfinished = 0
            self._tell(f"the guardian is done: {counts}")
            return
        _log.warning("not_done left=%s", done.left[:5])
        self._unfinished += 1
        if self._unfinished % _TOLD_EVERY == 3:
            left = "; ".join([*done.left[:3], *done.troubles[:2]])
            self._tell(f"the guardian is NOT done and goes on: {counts}; left: {left}")

    def _beat(self, heart: Heartbeat) -> None:
        try:
            heart.beat(self._clock.now_ms())
        except OpenAlphaError as error:
            _log.warning("no_heartbeat error=%s", error.message)

    def _remember(self) -> None:
        try:
            self._rules.restore(json.loads(self._path.read_bytes()))
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError, ArithmeticError) as error:
            self._tell(
                f"the guardian's memory {self._path} cannot be read ({error}); it starts new"
            )

    def _keep(self) -> None:
        try:
            write_bytes(self._path, json.dumps(self._rules.state()).encode())
        except OpenAlphaError as error:
            # A full disk must not stop the watch.
            _log.warning("memory_not_kept error=%s", error.message)


class only_guardian:  # noqa: N801 - reads as what it does: `with only_guardian(...)`
    """Holds the place of an environment's one guardian while the block runs.

    Raises
    ------
    InputError
        If another holds it.
    """

    def __init__(self, home: Path, environment: str) -> None:
        self._path = safety_folder(home, environment) / "guardian.pid"
        self._environment = environment
        self._handle = -1

    def __enter__(self) -> None:
        """Take the place, or say who has it."""
        with storage_errors(str(self._path)):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.read(self._handle, 32).decode("ascii", "replace").strip()
            os.close(self._handle)
            raise InputError(
                f"process {pid or 'unknown'} guards {self._environment} already; end it first"
            ) from None
        os.ftruncate(self._handle, 0)
        os.pwrite(self._handle, str(os.getpid()).encode(), 0)

    def __exit__(self, *_: object) -> None:
        """Give the place back."""
        os.close(self._handle)
