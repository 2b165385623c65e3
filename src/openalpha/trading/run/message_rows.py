"""Messages of a market, trades and changes of its book, as payloads of the tape, and back."""

import json
from collections.abc import Sequence

import numpy as np

from openalpha.store.run_log import canonical_json
from openalpha.venue.kernel.layout import I64

__all__ = ["is_messages", "messages_of", "messages_payload", "rows_payload"]


def messages_payload(events: I64, number: int = 0) -> bytes:
    """Return messages of an instrument as the tape holds them.

    Parameters
    ----------
    events : int64[n, EVENT_COLS]
        As `book_events` makes them.
    number : int
        Which of the run's instruments.

    Examples
    --------
    >>> messages_payload(np.array([[60_000, 2, 0, 1, 1001, 5]]))
    b'{"messages":[[60000,2,1,1001,5]],"number":0}'
    """
    return rows_payload(np.delete(events, 2, axis=1).tolist(), number)


def rows_payload(rows: Sequence[Sequence[int]], number: int) -> bytes:
    """Return messages as the tape holds them: stamp, kind, side, price and quantity of each."""
    return canonical_json({"messages": rows, "number": number})


def is_messages(payload: bytes) -> bool:
    """Say whether a payload of the feed is what `messages_payload` wrote."""
    return payload.startswith(b'{"messages"')


def messages_of(payload: bytes) -> tuple[int, I64]:
    """Return the instrument's number and the messages that `messages_payload` wrote.

    The instrument of each message is 0: its own book's only one.

    Examples
    --------
    >>> messages_of(b'{"messages":[[60000,2,1,1001,5]],"number":0}')
    (0, array([[60000,     2,     0,     1,  1001,     5]]))
    """
    content = json.loads(payload)
    rows = np.array(content["messages"], dtype=np.int64).reshape(-1, 5)
    return int(content["number"]), np.insert(rows, 2, 0, axis=1)
