"""Order ids that follow from what caused the order: the same cause always gives the same id.

    <tag of the strategy, up to 8>-<22 of a hash of the cause>-<attempt>

So an order found at the venue tells its strategy, and a run that starts again after a crash makes
the very ids it made before. The attempt rises only once the venue has confirmed that the order of
the attempt before is not there.
"""

import hashlib
import re
from base64 import b32encode
from dataclasses import dataclass
from functools import cache

from openalpha.core.errors import OrderError
from openalpha.core.instruments import InstrumentId

__all__ = ["Cause", "attempt_of", "is_ours", "link_id", "next_attempt", "tag_of"]

LONGEST = 36
"""Characters the venue takes."""

_TAG, _HASH, _MOST_ATTEMPTS = 8, 22, 999
_HASHED = 15
"""Bytes of the digest that its characters are made of: five bits each."""
_SHAPE = re.compile(r"([a-zA-Z0-9_]{1,8})-([a-z2-7]{22})-(\d{1,3})")


@dataclass(frozen=True, slots=True)
class Cause:
    """What makes an order this one and no other.

    Parameters
    ----------
    run_id : str
        A run survives restarts, so its id does too.
    strategy : str
    decision_seq : int
        The decision's number in the run's log.
    instrument : InstrumentId
    leg : str
        Which of the decision's orders on this instrument: `entry`, `close`, `stop`, `slice3`.
    """

    run_id: str
    strategy: str
    decision_seq: int
    instrument: InstrumentId
    leg: str


def link_id(cause: Cause, *, attempt: int = 0) -> str:
    """Return the id of an order, 36 characters or fewer of letters, digits, - and _.

    Examples
    --------
    >>> cause = Cause("r1", "ma_cross", 17, InstrumentId("bybit_linear:BTCUSDT"), "entry")
    >>> link_id(cause)
    'ma_cross-qx3eh2i63uxxbt4enowe4a-0'
    """
    parts = (cause.run_id, cause.strategy, str(cause.decision_seq), cause.instrument, cause.leg)
    # Lengths are part of it: no two causes are written alike.
    text = "".join(f"{len(part)}:{part}" for part in parts)
    digest = b32encode(hashlib.sha256(text.encode()).digest()[:_HASHED]).decode().lower()[:_HASH]
    return _joined(tag_of(cause.strategy), digest, attempt)


def next_attempt(used: str) -> str:
    """Return the id of the next attempt at the same order.

    Raises
    ------
    OrderError
        If the id is none of ours, or was tried too often.

    Examples
    --------
    >>> next_attempt("ma_cross-aaaaaaaaaaaaaaaaaaaaaa-0")
    'ma_cross-aaaaaaaaaaaaaaaaaaaaaa-1'
    """
    found = _SHAPE.fullmatch(used)
    if found is None:
        raise OrderError(f"'{used}' is no order id of ours, so there is no next attempt at it")
    return _joined(found[1], found[2], int(found[3]) + 1)


def attempt_of(used: str) -> int:
    """Return which attempt an id is, 0 for the first and for ids that are not ours."""
    found = _SHAPE.fullmatch(used)
    return int(found[3]) if found else 0


def is_ours(used: str) -> bool:
    """Say whether an id has the form of ours; an exchange's own orders and a person's have not.

    Examples
    --------
    >>> is_ours("web-order-17"), is_ours("ma_cross-aaaaaaaaaaaaaaaaaaaaaa-0")
    (False, True)
    """
    return _SHAPE.fullmatch(used) is not None


@cache
def tag_of(strategy: str) -> str:
    """Return the part of the ids that names the strategy.

    Examples
    --------
    >>> tag_of("mean reversion (volume)"), tag_of("äß")
    ('meanreve', 'x')
    """
    kept = "".join(
        letter for letter in strategy if (letter.isascii() and letter.isalnum()) or letter == "_"
    )
    return kept[:_TAG] or "x"


def _joined(tag: str, digest: str, attempt: int) -> str:
    if attempt > _MOST_ATTEMPTS:
        raise OrderError(f"order {tag}-{digest} was tried {attempt} times; look at its incident")
    return f"{tag}-{digest}-{attempt}"
