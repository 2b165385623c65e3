"""Private topics: what an account's sockets are told, each in the shape of its topic."""

from collections.abc import Iterator, Set
from typing import Any

from openalpha.venue.twin.state import Push, State

__all__ = ["TOPICS", "messages_of", "topic_error"]

KINDS = ("order", "execution", "execution.fast", "position", "wallet")
WHOLE = frozenset({"order", "execution", "position", "wallet"})
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


def messages_of(
    state: State, push: Push, *, heard: Set[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each topic a push belongs to and somebody listens to, with its message."""
    uid = state.accounts.rows[push.account].uid
    name = f"{uid}_{state.next_seq()}"
    # Most listen to whole kinds alone: then there is nothing to sort by category.
    topics = {push.topic: push.rows} if heard <= WHOLE else _topics_of(push)
    for topic, rows in topics.items():
        if topic not in heard:
            continue
        if not topic.startswith("execution.fast"):
            message = {"id": name, "topic": topic, "creationTime": push.ts_ms, "data": rows}
        elif quick := _quick(rows):
            message = {"topic": topic, "creationTime": push.ts_ms, "data": quick}
        else:
            continue
        yield topic, message


def _topics_of(push: Push) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of each topic a push belongs to."""
    topics = {push.topic: push.rows}
    if push.topic == "wallet":
        return topics
    for row in push.rows:
        topics.setdefault(f"{push.topic}.{row['category']}", []).append(row)
    if push.topic == "execution":
        quick = {name.replace("execution", "execution.fast"): topics[name] for name in topics}
        topics.update(quick)
    return topics


def _quick(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the quick form of executions: trades only, few fields."""
    return [{field: row[field] for field in _FAST} for row in rows if row["execType"] == "Trade"]
