"""The emergency stop as a whole: lock, cancel and close, sell what was bought, write it down.

It needs a key and the venue; neither database nor kernel nor a trader that answers. Each part goes
on when another fails, and the whole is safe to repeat.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from openalpha.core.clock import Clock
from openalpha.core.errors import OpenAlphaError
from openalpha.store.audit import AuditTrail
from openalpha.trading.safety.emergency_holdings import keep_bought, read_bought, sales_of
from openalpha.trading.safety.emergency_lock import Lock, lock
from openalpha.trading.safety.guardian_heartbeat import read_beat
from openalpha.venue.bybit.client import BybitClient
from openalpha.venue.bybit.flatten import Flattened, flatten, is_flat

__all__ = ["Stop", "StopOrder", "emergency_stop"]

_MOST_SALES = 10
_ON_ITS_WAY_S = 0.5
_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class StopOrder:
    """What a person, a breaker or the guardian wants stopped, and how.

    Parameters
    ----------
    home : Path
    environment : str
        As `live`.
    who, words : str
        Who stops and why: they stand in the lock and in the journal.
    keep_positions : bool
        Cancel entries only; every position keeps, or first gets, a protective stop.
    include_holdings : bool
        Sell every coin on spot, not only what this installation bought.
    locks : bool
        Whether nothing may trade afterwards until a person unlocks.
    limit_s : float
        How long to go on trying.
    """

    home: Path
    environment: str
    who: str
    words: str
    keep_positions: bool = False
    include_holdings: bool = False
    locks: bool = True
    limit_s: float = 120.0


@dataclass(slots=True)
class Stop:
    """What became of it.

    Parameters
    ----------
    is_done : bool
        Nothing is left to cancel, close or sell.
    is_locked : bool
    cancelled, closing_orders, rounds : int
    left, troubles : list of str
        For a person: what stands, and what was said meanwhile.
    """

    is_done: bool = False
    is_locked: bool = False
    cancelled: int = 0
    closing_orders: int = 0
    rounds: int = 0
    left: list[str] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)


def emergency_stop(
    order: StopOrder,
    client: BybitClient,
    *,
    clock: Clock,
    pause: Callable[[float], object] = time.sleep,
) -> Stop:
    """Stop an environment now.

    Parameters
    ----------
    client : BybitClient
        Its channel should be of the class RISK.

    Returns
    -------
    Stop
        Never raises for what disk or venue say: the trouble is in the result.
    """
    done = Stop()
    if order.locks:
        done.is_locked = _locked(order, clock, done)
    ends = time.monotonic() + order.limit_s
    _stopped(order, client, done, ends, pause)
    beat = read_beat(order.home, order.environment)
    if beat is not None and not beat.has_ended and not done.left:
        # An order that the trader sent before it saw the lock may arrive after all this.
        pause(_ON_ITS_WAY_S)
        if not _stays_flat(order, client):
            _stopped(order, client, done, ends, pause)
    done.is_done = not done.left
    _noted(order, done)
    return done


def _locked(order: StopOrder, clock: Clock, done: Stop) -> bool:
    try:
        why = Lock(order.words, order.who, clock.now_ms())
        lock(order.home, order.environment, why=why)
    except OpenAlphaError as error:
        done.troubles.append(f"the lock could not be written: {error}")
        return False
    return True


def _stopped(
    order: StopOrder,
    client: BybitClient,
    done: Stop,
    ends: float,
    pause: Callable[[float], object],
) -> None:
    _add(done, _flattened(order, client, ends=ends, pause=pause))
    if not order.keep_positions:
        _sell(order, client, done, ends, pause)


def _stays_flat(order: StopOrder, client: BybitClient) -> bool:
    """Look once more, without the requests that cancel; what cannot be seen is not flat."""
    try:
        return not order.keep_positions and is_flat(client)
    except OpenAlphaError:
        return False


def _flattened(
    order: StopOrder,
    client: BybitClient,
    *,
    ends: float,
    pause: Callable[[float], object],
    sell: Mapping[str, Decimal] | None = None,
    sale: str = "",
) -> Flattened:
    left_s = max(0.0, ends - time.monotonic())
    keep = order.keep_positions
    return flatten(client, keep_positions=keep, sell=sell, sale=sale, limit_s=left_s, pause=pause)


def _sell(
    order: StopOrder,
    client: BybitClient,
    done: Stop,
    ends: float,
    pause: Callable[[float], object],
) -> None:
    """Sell on spot after everything else was cancelled: cancelled orders free their coins."""
    bought = read_bought(order.home, order.environment)
    if bought.trouble:
        _once(done.troubles, bought.trouble)
    remaining, mark = dict(bought.qty), bought.mark
    for _ in range(_MOST_SALES):
        try:
            sales = sales_of(client, remaining, include_holdings=order.include_holdings)
        except OpenAlphaError as error:
            done.left.append(f"spot: what is held could not be read ({error.message})")
            return
        for words in sales.left:
            _once(done.troubles, words)
        if not sales.qty:
            return
        sale = "" if order.include_holdings else mark
        part = _flattened(order, client, ends=ends, pause=pause, sell=sales.qty, sale=sale)
        _add(done, part)
        refused = [words for words in part.troubles if "was not sold" in words]
        if refused or not part.is_done:
            # What was kept stays as it was: repeated, it sells under the same name what is left.
            done.left += refused
            return
        for symbol, qty in sales.qty.items():
            remaining[symbol] = remaining.get(symbol, _ZERO) - qty
        mark = _kept(order, remaining, done) or f"{mark}+"
        # Time for the wallet to tell of the sale before it is read again.
        pause(1.0 if order.include_holdings else 0.1)
        if time.monotonic() >= ends:
            break
    done.left.append("spot: there was no time to see that all is sold")


def _kept(order: StopOrder, remaining: Mapping[str, Decimal], done: Stop) -> str:
    """Note what is sold, so that a stop that is repeated sells nobody else's coins."""
    try:
        return keep_bought(order.home, order.environment, bought=remaining)
    except OpenAlphaError as error:
        _once(done.troubles, f"what was sold could not be noted: {error}")
        return ""


def _add(done: Stop, part: Flattened) -> None:
    done.cancelled += part.cancelled
    done.closing_orders += part.closing_orders
    done.rounds += part.rounds
    done.left = list(part.left)
    for words in part.troubles:
        _once(done.troubles, words)


def _once(words: list[str], one: str) -> None:
    if one not in words:
        words.append(one)


def _noted(order: StopOrder, done: Stop) -> None:
    try:
        AuditTrail(order.home).add(
            "stop",
            environment=order.environment,
            by=order.who,
            reason=order.words,
            keep_positions=order.keep_positions,
            include_holdings=order.include_holdings,
            is_done=done.is_done,
            cancelled=done.cancelled,
            closing_orders=done.closing_orders,
            left=done.left,
        )
    except OpenAlphaError as error:
        done.troubles.append(f"the stop could not be journalled: {error}")
