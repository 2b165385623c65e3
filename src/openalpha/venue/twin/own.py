"""Answers the twin's own addresses: plain JSON with plain HTTP statuses, off the protocol."""

from typing import TYPE_CHECKING, Any

from openalpha.core.clock import ManualClock
from openalpha.venue.twin import admin
from openalpha.venue.twin.codes import Refused
from openalpha.venue.twin.wire import Params, Reply, Request, dumps, read_params

if TYPE_CHECKING:
    from openalpha.venue.twin.exchange import Exchange

__all__ = ["own_reply"]

JSON_HEADERS = {"Content-Type": "application/json; charset=utf-8"}


def own_reply(exchange: "Exchange", request: Request) -> Reply:
    """Answer one request for the twin itself."""
    try:
        result = _answer(exchange, request)
    except Refused as refused:
        status = 404 if refused.code == 10017 else 400
        body = dumps({"error": refused.message, "code": refused.code})
        return Reply(status, body, JSON_HEADERS)
    return Reply(200, dumps(result), JSON_HEADERS)


def _answer(exchange: "Exchange", request: Request) -> dict[str, Any]:
    path = request.path
    if request.method == "GET":
        if path == "/twin/status":
            return admin.overview(exchange.state)
        if path == "/twin/faults":
            faults = exchange.faults
            rules = [rule.shown() for rule in faults.rules]
            return {"seed": faults.seed, "rules": rules, "log": faults.log}
    if request.method == "DELETE" and path == "/twin/faults":
        exchange.faults.clear()
        return {}
    if request.method != "POST":
        raise Refused(10017, "no such address of the twin")
    params = read_params(request)
    if path == "/twin/limits":
        exchange.limits.is_lifted = params.get("lifted") is True
        exchange.limits.forgive()
        return {"lifted": exchange.limits.is_lifted}
    if path == "/twin/faults":
        return _add_fault(exchange, params)
    if path == "/twin/clock":
        return _move_clock(exchange, params)
    if path in admin.ACTIONS:
        return exchange.arrange(path, params)
    raise Refused(10017, "no such address of the twin")


def _move_clock(exchange: "Exchange", params: Params) -> dict[str, Any]:
    """Move a twin's own clock on: lock-step. POST /twin/clock {"advance_ms": 60000}."""
    clock = exchange.clock
    if not isinstance(clock, ManualClock):
        raise Refused(10001, "this twin runs on the wall clock; start it with --lockstep")
    text = str(params.get("advance_ms"))
    if not text.isdigit():
        raise Refused(10001, "advance_ms is a whole number")
    clock.advance(int(text))
    exchange.advance()
    return {"now_ms": exchange.now_ms()}


def _add_fault(exchange: "Exchange", params: Params) -> dict[str, Any]:
    """Make a rule, reseed, skew the venue's clock, or act on the sockets at once."""
    kind = params.get("kind")
    now_ms = exchange.state.now_ms
    if "seed" in params:
        exchange.faults.reseed(int(params["seed"]))
        if kind is None:
            return {"seed": exchange.faults.seed}
    if kind == "clock_skew":
        exchange.state.skew_ms = int(params.get("size_ms", 0))
        exchange.faults.note("clock_skew", str(exchange.state.skew_ms), uid="", ts_ms=now_ms)
        return {"skew_ms": exchange.state.skew_ms}
    if kind in ("half_open", "close_sockets", "restart"):
        if exchange.on_socket_fault is None:
            raise Refused(10001, "no sockets are served here")
        struck = exchange.on_socket_fault(str(kind), str(params.get("match") or ""))
        exchange.faults.note(str(kind), str(params.get("match") or ""), uid="", ts_ms=now_ms)
        return {"sockets": struck}
    return exchange.faults.add(params).shown()
