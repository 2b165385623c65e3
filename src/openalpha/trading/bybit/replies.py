"""What the executor hands back: one reply of a request, as the log keeps it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from openalpha.store.run_log import canonical_json
from openalpha.trading.orders.side import Request, RequestKind

__all__ = ["Outcome", "Reply", "read_reply"]


class Outcome(StrEnum):
    """What became of a request."""

    ANSWER = "answer"
    REFUSED = "refused"
    NOT_SENT = "not_sent"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply.

    Parameters
    ----------
    kind : RequestKind
    params, link_ids
        Of the request.
    outcome : Outcome
        REFUSED: the venue said no. NOT_SENT: it was not carried out and will not be. UNKNOWN:
        nobody knows.
    rows : tuple of mapping
        The venue's rows, as it wrote them.
    items : tuple of (int, str)
        Codes and words of a batch's items.
    code, words
        Of a refusal, or of what went wrong.
    ts_ms : int
        Venue's time of the (first) answer; 0 where there was none.
    sent_ms : int
        When the request left here, UTC ms of our clock; 0 where nobody noted it.
    """

    kind: RequestKind
    params: Mapping[str, Any]
    link_ids: tuple[str, ...]
    outcome: Outcome
    rows: tuple[Mapping[str, Any], ...] = ()
    items: tuple[tuple[int, str], ...] = ()
    code: int = 0
    words: str = ""
    ts_ms: int = 0
    sent_ms: int = 0
    rate_left: str = ""

    def payload(self) -> bytes:
        """Return the reply as the log keeps it."""
        return canonical_json(
            {
                "kind": self.kind.value,
                "params": self.params,
                "link_ids": self.link_ids,
                "outcome": self.outcome.value,
                "rows": self.rows,
                "items": self.items,
                "code": self.code,
                "words": self.words,
                "ts_ms": self.ts_ms,
                "sent_ms": self.sent_ms,
                "rate_left": self.rate_left,
            }
        )

    @classmethod
    def to(cls, request: Request, outcome: Outcome, **more: Any) -> "Reply":
        """Return a reply to a request."""
        return cls(request.kind, request.params, request.link_ids, outcome, **more)


def read_reply(payload: bytes) -> Reply:
    """Return the reply that a log's frame holds.

    Examples
    --------
    >>> reply = Reply(RequestKind.CANCEL, {}, ("a",), Outcome.REFUSED, code=110001)
    >>> read_reply(reply.payload()) == reply
    True
    """
    content = json.loads(payload)
    return Reply(
        kind=RequestKind(content["kind"]),
        params=content["params"],
        link_ids=tuple(content["link_ids"]),
        outcome=Outcome(content["outcome"]),
        rows=tuple(content["rows"]),
        items=tuple((int(code), str(words)) for code, words in content["items"]),
        code=content["code"],
        words=content["words"],
        ts_ms=content["ts_ms"],
        sent_ms=content.get("sent_ms", 0),
        rate_left=content.get("rate_left", ""),
    )
