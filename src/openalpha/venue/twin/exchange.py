"""The twin itself: requests and a clock in, replies and pushes out. No socket, no thread.

What changes state is written down as a record before it is answered; the same records, done again
on a fresh state, give the same state. Between two records the market walks its own grid of time.
"""

from collections.abc import Callable
from typing import Any

from openalpha.core.clock import Clock
from openalpha.venue.twin import admin
from openalpha.venue.twin.accounts import Account, Key
from openalpha.venue.twin.auth import authenticate, permit
from openalpha.venue.twin.codes import Refused
from openalpha.venue.twin.handlers import account as account_family
from openalpha.venue.twin.handlers import asset as asset_family
from openalpha.venue.twin.handlers import market as market_family
from openalpha.venue.twin.handlers import order as order_family
from openalpha.venue.twin.handlers import position as position_family
from openalpha.venue.twin.handlers.user import query_api
from openalpha.venue.twin.limits import Limits
from openalpha.venue.twin.market import make_market
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

    Examples
    --------
    >>> from openalpha.core.clock import ManualClock
    >>> twin = Exchange(TwinSettings(backfill_days=0), ManualClock(1_700_000_000_000))
    >>> reply = twin.request(Request("GET", "/v5/market/time"))
    >>> reply.status, b'"timeSecond":"1700000000"' in reply.body
    (200, True)
    """

    def __init__(self, settings: TwinSettings, clock: Clock) -> None:
        self.clock = clock
        self.state = make_state(settings, clock.now_ms())
        self.market = make_market(self.state, clock.now_ms())
        self.limits = Limits()
        self.skew_ms = 0
        self.records: list[dict[str, Any]] = []

    # time

    def now_ms(self) -> int:
        """Return the venue's time, which never falls."""
        return max(self.clock.now_ms(), self.state.now_ms)

    def advance(self, until_ms: int | None = None) -> None:
        """Let the market take every step that is due by a moment (default: now)."""
        until_ms = self.now_ms() if until_ms is None else until_ms
        while self.market.next_ms <= until_ms:
            self.market.step(self.state)
        self.state.now_ms = max(self.state.now_ms, until_ms)

    # requests

    def request(self, request: Request) -> Reply:
        """Answer one HTTP request."""
        self.advance()
        if request.path.startswith("/twin/"):
            return self._own(request)
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
        stamp = self.state.now_ms + self.skew_ms
        body = dumps(envelope(result, ts_ms=stamp, code=code, message=message, ext=ext))
        return Reply(404 if code == 10017 else 200, body.encode(), headers)

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
            self.state.accounts, request, now_ms=self.state.now_ms + self.skew_ms
        )
        permit(key, writes=writes)
        params = read_params(request)
        return self._limited(account, key, path, params=params, headers=headers)

    def _limited(
        self, account: Account, key: Key, path: str, *, params: Params, headers: dict[str, str]
    ) -> dict[str, Any]:
        """Count the request against its limit, then read or write."""
        uid, now_ms = str(account.uid), self.state.now_ms
        if path in order_family.BATCHES:
            params["_room"] = self.limits.room_left(uid, path, params=params, now_ms=now_ms)
        verdict = self.limits.check(uid, path, params=params, now_ms=now_ms)
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
        self.records.append(record)
        return WRITES[path](self.state, account, params)

    # the twin's own addresses

    def _own(self, request: Request) -> Reply:
        """Answer an address off the protocol, in plain JSON with plain HTTP statuses."""
        try:
            result = self._own_answer(request)
        except Refused as refused:
            status = 404 if refused.code == 10017 else 400
            body = dumps({"error": refused.message, "code": refused.code})
            return Reply(status, body.encode(), JSON_HEADERS)
        return Reply(200, dumps(result).encode(), JSON_HEADERS)

    def _own_answer(self, request: Request) -> dict[str, Any]:
        if request.method == "GET" and request.path == "/twin/status":
            return admin.overview(self.state)
        if request.method != "POST":
            raise Refused(10017, "no such address of the twin")
        params = read_params(request)
        if request.path == "/twin/limits":
            self.limits.is_lifted = params.get("lifted") is True
            self.limits.forgive()
            return {"lifted": self.limits.is_lifted}
        if request.path not in admin.ACTIONS:
            raise Refused(10017, "no such address of the twin")
        return self.arrange(request.path, params)

    def arrange(self, path: str, params: Params) -> dict[str, Any]:
        """Do one of the twin's own acts, and write it down."""
        self.records.append({"ts": self.state.now_ms, "own": path, "params": params})
        return admin.ACTIONS[path](self.state, self.market, params)

    def redo(self, record: dict[str, Any]) -> None:
        """Do again what a record says, at its time; refusals repeat silently."""
        self.advance(int(record["ts"]))
        try:
            if "own" in record:
                admin.ACTIONS[record["own"]](self.state, self.market, record["params"])
                return
            account = self.state.accounts.by_uid(int(record["uid"]))
            assert account is not None, "accounts are made by earlier records"
            WRITES[record["path"]](self.state, account, record["params"])
        except Refused:
            return

    def take_pushes(self) -> list[Push]:
        """Return the private pushes queued since last asked."""
        pushes, self.state.pushes = self.state.pushes, []
        return pushes

    def add_account(self, **balances: str) -> tuple[str, str, str]:
        """Open an account; returns its uid, API key and secret. For tests and drivers."""
        made = self.arrange("/twin/accounts", {"balances": balances})
        return made["uid"], made["api_key"], made["api_secret"]
