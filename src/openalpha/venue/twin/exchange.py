"""The twin itself: requests and a clock in, replies and pushes out. No socket, no thread.

What changes state is written down as a record before it is answered; the same records, done again
on a fresh state, give the same state. Between two records the market walks its own grid of time.
"""

from collections.abc import Callable, Mapping
from typing import Any

from openalpha.core.clock import Clock
from openalpha.venue.twin import admin
from openalpha.venue.twin.accounts import Account, Key
from openalpha.venue.twin.auth import authenticate, permit
from openalpha.venue.twin.codes import Refused
from openalpha.venue.twin.faults import ORDER_KINDS, REQUEST_KINDS, Faults, Rule
from openalpha.venue.twin.faulty import faulty_reply
from openalpha.venue.twin.handlers import account as account_family
from openalpha.venue.twin.handlers import asset as asset_family
from openalpha.venue.twin.handlers import market as market_family
from openalpha.venue.twin.handlers import order as order_family
from openalpha.venue.twin.handlers import position as position_family
from openalpha.venue.twin.handlers.user import query_api
from openalpha.venue.twin.limits import Limits, Verdict
from openalpha.venue.twin.market import make_market
from openalpha.venue.twin.own import own_reply
from openalpha.venue.twin.recorded import Recording
from openalpha.venue.twin.sending import arrive
from openalpha.venue.twin.settings import TwinSettings
from openalpha.venue.twin.state import Push, make_state
from openalpha.venue.twin.wire import Params, Reply, Request, dumps, envelope, read_params

__all__ = ["Exchange"]

Handler = Callable[[Any, Account, Params], dict[str, Any]]

READS: dict[str, Handler] = {
    **order_family.READS,
    **position_family.READS,
    **account_family.READS,
    **asset_family.READS,
}
WRITES: dict[str, Handler] = {
    **order_family.WRITES,
    **order_family.BATCHES,
    **position_family.WRITES,
    **account_family.WRITES,
}
JSON_HEADERS = {"Content-Type": "application/json; charset=utf-8"}


class Exchange:
    """A whole venue on one clock.

    Parameters
    ----------
    settings : TwinSettings
    clock : Clock
        Asked at every request; the market catches up with it first.
    histories : mapping of market key to Recording, optional
        Markets to replay, by `linear:BTCUSDT`; the others are synthetic.

    Examples
    --------
    >>> from openalpha.core.clock import ManualClock
    >>> twin = Exchange(TwinSettings(backfill_days=0), ManualClock(1_700_000_000_000))
    >>> reply = twin.request(Request("GET", "/v5/market/time"))
    >>> reply.status, b'"timeSecond":"1700000000"' in reply.body
    (200, True)
    """

    def __init__(
        self,
        settings: TwinSettings,
        clock: Clock,
        *,
        histories: Mapping[str, Recording] | None = None,
    ) -> None:
        self.clock = clock
        self.state = make_state(settings, clock.now_ms())
        self.market = make_market(self.state, clock.now_ms(), histories=histories)
        self.limits = Limits()
        self.faults = Faults(settings.seed)
        self.keep: Callable[[dict[str, Any]], object] | None = None
        self.on_socket_fault: Callable[[str, str], int] | None = None

    def note(self, record: dict[str, Any]) -> None:
        """Hand a record to whoever keeps them."""
        if self.keep is not None:
            self.keep(record)

    # time

    def now_ms(self) -> int:
        """Return the venue's time, which never falls."""
        return max(self.clock.now_ms(), self.state.now_ms)

    def advance(self, until_ms: int | None = None) -> None:
        """Let the market take every step that is due by a moment (default: now)."""
        until_ms = self.now_ms() if until_ms is None else until_ms
        told = self.state.told
        while True:
            arrival = self.state.due[0].ts_ms if self.state.due else until_ms + 1
            # A command that arrives at the stamp of a step comes after it.
            if self.market.next_ms <= min(arrival, until_ms):
                self.market.step(self.state)
            elif arrival <= until_ms:
                arrive(self.state)
            else:
                break
        self.state.now_ms = max(self.state.now_ms, until_ms)
        if self.state.told > told:
            # What accounts are about to hear must not be unlearnt by a crash.
            self.note({"ts": self.state.now_ms})

    # requests

    def request(self, request: Request) -> Reply:
        """Answer one HTTP request, unless a fault is in its way."""
        self.advance()
        if request.path.startswith("/twin/"):
            return own_reply(self, request)
        rule = self._struck(REQUEST_KINDS, request)
        return (
            self._reply(request) if rule is None else faulty_reply(self._reply, request, rule=rule)
        )

    def held_ms(self, request: Request) -> int:
        """Return how long a request that a fault puts behind the next one waits for it; or 0."""
        rule = self._struck(ORDER_KINDS, request)
        return 0 if rule is None else max(rule.size_ms, 1)

    def _struck(self, kinds: tuple[str, ...], request: Request) -> Rule | None:
        """Return the fault that strikes a request."""
        if not self.faults.rules:
            return None
        found = self.state.accounts.by_key(request.headers.get("x-bapi-api-key", ""))
        uid = str(found[0].uid) if found else ""
        return self.faults.strike(kinds, request.path, uid=uid, ts_ms=self.state.now_ms)

    def _reply(self, request: Request, *, age_ms: int = 0) -> Reply:
        """Answer one HTTP request; `age_ms` makes the stamp of the answer old."""
        if not self.limits.admits(request.peer, self.state.now_ms):
            return Reply(403, b'{"retCode":10403,"retMsg":"access too frequent"}', JSON_HEADERS)
        headers = dict(JSON_HEADERS)
        ext: object | None = None
        try:
            result: object = self._answer(request, headers)
            code, message = 0, "OK"
            if isinstance(result, order_family.Batch):
                ext = result.ext
        except Refused as refused:
            result, code, message = {}, refused.code, refused.message
        stamp = self.state.now_ms + self.state.skew_ms - age_ms
        body = dumps(envelope(result, ts_ms=stamp, code=code, message=message, ext=ext))
        return Reply(404 if code == 10017 else 200, body, headers)

    def _answer(self, request: Request, headers: dict[str, str]) -> dict[str, Any]:
        """Find what a request asks for and do it."""
        path = request.path
        public = market_family.ROUTES.get(path)
        if public is not None and request.method == "GET":
            return public(self.state, read_params(request))
        writes = path in WRITES and request.method == "POST"
        reads = request.method == "GET" and (path in READS or path == "/v5/user/query-api")
        if not (reads or writes):
            raise Refused(10017, "Path not found or method not supported")
        account, key = authenticate(
            self.state.accounts, request, now_ms=self.state.now_ms + self.state.skew_ms
        )
        permit(key, writes=writes)
        params = read_params(request)
        return self._limited(account, key, path, params=params, headers=headers)

    def count(self, account: Account, path: str, *, params: Params) -> Verdict:
        """Count a request against its limit; a batch learns how many of its items may pass."""
        uid, now_ms = str(account.uid), self.state.now_ms
        if path in order_family.BATCHES:
            params["_room"] = self.limits.room_left(uid, path, params=params, now_ms=now_ms)
        return self.limits.check(uid, path, params=params, now_ms=now_ms)

    def _limited(
        self, account: Account, key: Key, path: str, *, params: Params, headers: dict[str, str]
    ) -> dict[str, Any]:
        """Count the request, then read or write."""
        verdict = self.count(account, path, params=params)
        headers.update(verdict.headers())
        if not verdict.is_allowed:
            raise Refused(10006, "Too many visits. Exceeded the API Rate Limit.")
        if path == "/v5/user/query-api":
            return query_api(self.state, account, key=key)
        if path in READS:
            return READS[path](self.state, account, params)
        return self.write(account, path, params=params)

    def write(self, account: Account, path: str, *, params: Params) -> dict[str, Any]:
        """Do what changes an account's state, and write it down."""
        record = {"ts": self.state.now_ms, "uid": account.uid, "path": path, "params": params}
        self.note(record)
        return WRITES[path](self.state, account, params)

    def arrange(self, path: str, params: Params) -> dict[str, Any]:
        """Do one of the twin's own acts, and write it down."""
        self.note({"ts": self.state.now_ms, "own": path, "params": params})
        return admin.ACTIONS[path](self.state, self.market, params)

    def redo(self, record: dict[str, Any]) -> None:
        """Do again what a record says, at its time; refusals repeat silently."""
        if "resume" in record:
            self._skip_to(int(record["ts"]))
            return
        self.advance(int(record["ts"]))
        try:
            if "own" in record:
                admin.ACTIONS[record["own"]](self.state, self.market, record["params"])
            elif "uid" in record:
                account = self.state.accounts.by_uid(int(record["uid"]))
                assert account is not None, "accounts are made by earlier records"
                WRITES[record["path"]](self.state, account, record["params"])
        except Refused:
            return
        finally:
            self.state.pushes.clear()

    def resume(self) -> None:
        """Go on after a stop: the market did not move while nobody served it."""
        self._skip_to(self.now_ms())
        self.note({"ts": self.state.now_ms, "resume": True})

    def _skip_to(self, ts_ms: int) -> None:
        grid = self.market.step_ms
        self.state.now_ms = max(self.state.now_ms, ts_ms)
        self.market.next_ms = max(self.market.next_ms, ts_ms - ts_ms % grid + grid)

    def take_pushes(self) -> list[Push]:
        """Return the private pushes queued since last asked."""
        pushes, self.state.pushes = self.state.pushes, []
        return pushes

    def add_account(self, **balances: str) -> tuple[str, str, str]:
        """Open an account; returns its uid, API key and secret. For tests and drivers."""
        made = self.arrange("/twin/accounts", {"balances": balances})
        return made["uid"], made["api_key"], made["api_secret"]
