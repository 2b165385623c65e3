"""Private topics: what an account's sockets are told, each in the shape of its topic."""

from typing import Any

from openalpha.venue.twin.state import Push, State

__all__ = ["TOPICS", "messages_of", "topic_error"]

KINDS = ("order", "execution", "execution.fast", "position", "wallet")
CATEGORIES = ("linear", "inverse", "spot", "option")
TOPICS = frozenset(
    {
        *KINDS,
        *(f"{kind}.{category}" for kind in KINDS if kind != "wallet" for category in CATEGORIES),
        "dcp.future",
        "dcp.spot",
        "dcp.option",
        "greeks",
    }
)
_FAST = (
    "category",
    "symbol",
    "execId",
    "execPrice",
    "execQty",
    "orderId",
    "isMaker",
    "orderLinkId",
    "side",
    "execTime",
    "seq",
)


def topic_error(args: list[str]) -> str:
    """Return what is wrong with the topics of one subscription, or nothing."""
    for name in args:
        if name not in TOPICS:
            return f"error:handler not found,topic:{name}"
    for kind in KINDS:
        if kind in args and any(name.startswith(f"{kind}.") and name in TOPICS for name in args):
            if kind == "execution" and "execution.fast" in args and len(args) == 2:
                continue
            return f"error: {kind} and its categories cannot be subscribed in one request"
    return ""


def messages_of(state: State, push: Push) -> dict[str, dict[str, Any]]:
    """Return a push as a message of each topic it belongs to."""
    uid = state.accounts.rows[push.account].uid
    name = f"{uid}_{state.next_seq()}"
    messages = {push.topic: _message(push, push.topic, name, push.rows)}
    if push.topic == "wallet":
        return messages
    by_category: dict[str, list[dict[str, Any]]] = {}
    for row in push.rows:
        by_category.setdefault(row["category"], []).append(row)
    for category, rows in by_category.items():
        topic = f"{push.topic}.{category}"
        messages[topic] = _message(push, topic, name, rows)
    if push.topic == "execution":
        _add_fast(push, by_category, messages)
    return messages


def _message(push: Push, topic: str, name: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {"id": name, "topic": topic, "creationTime": push.ts_ms, "data": rows}


def _add_fast(
    push: Push,
    by_category: dict[str, list[dict[str, Any]]],
    messages: dict[str, dict[str, Any]],
) -> None:
    """Add the quick form of executions: trades only, few fields, no id."""
    every = []
    for category, rows in by_category.items():
        quick = [
            {field: row[field] for field in _FAST} for row in rows if row["execType"] == "Trade"
        ]
        every += quick
        if quick:
            topic = f"execution.fast.{category}"
            messages[topic] = {"topic": topic, "creationTime": push.ts_ms, "data": quick}
    if every:
        topic = "execution.fast"
        messages[topic] = {"topic": topic, "creationTime": push.ts_ms, "data": every}
