"""What a fault makes of a request: its answer lost, late, torn, doubled or replaced."""

from collections.abc import Callable

from openalpha.venue.twin.faults import Rule
from openalpha.venue.twin.wire import Reply, Request, dumps, envelope

__all__ = ["faulty_reply"]

_CODES = {
    "rate_limited": (10006, "Too many visits. Exceeded the API Rate Limit."),
    "busy_before": (10016, "Server error."),
    "busy_after": (10016, "Server error."),
}


def faulty_reply(answer: Callable[..., Reply], request: Request, *, rule: Rule) -> Reply:
    """Answer a request under a fault.

    Parameters
    ----------
    answer : callable
        The venue's own answer; what comes before it is never done, what comes after is.
    rule : Rule
    """
    kind = rule.kind
    if kind == "drop_before":
        return Reply(0, b"", is_dropped=True)
    if kind in ("rate_limited", "busy_before"):
        return _refused(kind)
    if kind == "duplicate":
        answer(request)
    reply = answer(request, age_ms=rule.size_ms) if kind == "stale_time" else answer(request)
    if kind == "drop_after":
        reply.is_dropped = True
    elif kind == "delay":
        reply.delay_ms = rule.size_ms
    elif kind == "truncate":
        reply.is_cut = True
    elif kind == "http_500":
        return Reply(500, b"<html>500 Internal Server Error</html>", {"Content-Type": "text/html"})
    elif kind == "busy_after":
        return _refused(kind)
    return reply


def _refused(kind: str) -> Reply:
    code, text = _CODES[kind]
    body = dumps(envelope({}, ts_ms=0, code=code, message=text))
    headers = {"Content-Type": "application/json; charset=utf-8"}
    return Reply(200, body, headers)
