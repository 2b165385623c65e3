"""A venue's closed bars and its time: on the wall clock, or in lock-step with a twin."""

import json
import time
from collections.abc import Sequence
from decimal import Decimal
from typing import Protocol

from openalpha.core.clock import DAY_MS, MINUTE_MS, SystemClock, timeframe_name
from openalpha.core.errors import InputError, NotSent, VenueUnavailable
from openalpha.core.instruments import Instrument, InstrumentId
from openalpha.core.units import to_units
from openalpha.engine.rows import BarUnits, Row
from openalpha.net import Request, Response, Transport
from openalpha.store.frames import canonical_json
from openalpha.venue.bybit.answers import NO_SUCH_SYMBOL, BybitRefused
from openalpha.venue.bybit.channel import Call, Channel
from openalpha.venue.bybit.reading import text, whole

__all__ = [
    "Bars",
    "LockstepClock",
    "VenueClock",
    "WallClock",
    "bar_units",
    "interval_name",
]

_MOST = 1000
"""Bars the venue gives at once."""
_MOST_ROWS = 10_000
"""Rows handed on at once: what was missed beyond is asked for next."""
_MOST_SETTLEMENTS = 200
_INTERVALS = ("1", "3", "5", "15", "30", "60", "120", "240", "360", "720", "D")
_LONGEST_MS = 3_600_000
"""A twin moves its market for so long in one answer at most."""
_RESTART_TRIES, _RESTART_WAIT_S = 50, 0.2
"""How long a twin that is being started again is waited for."""
_MOST_LOSSES = 3
"""How many answers of a twin may be lost one after the other."""


class VenueClock(Protocol):
    """The time at a venue, and waiting for it to pass.

    Attributes
    ----------
    is_lockstep : bool
        Whether time only passes while it is waited for.
    """

    is_lockstep: bool

    def now_ms(self) -> int:
        """Return the time in UTC ms."""
        ...

    def wait(self, by_ms: int) -> None:
        """Return once so much time has passed there."""
        ...


class WallClock:
    """The machine's own time."""

    is_lockstep = False

    def now_ms(self) -> int:
        """Return the machine's time in UTC ms."""
        return SystemClock().now_ms()

    def wait(self, by_ms: int) -> None:
        """Sleep."""
        time.sleep(by_ms / 1000)


class LockstepClock:
    """A twin's own clock: it stands still but when it is moved here.

    Parameters
    ----------
    transport : Transport
    url : str
        Of a twin that was started with `--lockstep`.
    """

    is_lockstep = True

    def __init__(self, transport: Transport, url: str) -> None:
        self._transport, self._url = transport, url
        self._now_ms = 0
        self._take(self._ask(0))

    def now_ms(self) -> int:
        """Return the twin's time when it was last moved, in UTC ms."""
        return self._now_ms

    def wait(self, by_ms: int) -> None:
        """Move the twin's clock on.

        Raises
        ------
        VenueUnavailable
            If the twin does not answer, or runs on the wall clock.
        """
        until_ms = self._now_ms + max(by_ms, 0)
        while until_ms - self._now_ms > _LONGEST_MS:
            self._move_once(_LONGEST_MS)
        self._move_once(until_ms - self._now_ms)

    def _move_once(self, by_ms: int) -> None:
        """Move it by so much, waiting for a twin that is being started again.

        Where an answer is lost it may have moved, wholly or in part: it is asked how late it is,
        and moved by the rest.
        """
        until_ms, losses, is_known = self._now_ms + by_ms, 0, True
        for _ in range(_RESTART_TRIES):
            try:
                answer = self._ask(until_ms - self._now_ms if is_known else 0)
            except NotSent:
                time.sleep(_RESTART_WAIT_S)
            except VenueUnavailable:
                losses, is_known = losses + 1, False
                if losses > _MOST_LOSSES:
                    raise
            else:
                self._take(answer)
                if is_known or self._now_ms >= until_ms:
                    return
                losses, is_known = 0, True
        raise NotSent(f"nobody listens at {self._url}: the twin was not started again")

    def _ask(self, by_ms: int) -> Response:
        body = json.dumps({"advance_ms": str(by_ms)}).encode()
        headers = {"Content-Type": "application/json"}
        return self._transport.send(Request(f"{self._url}/twin/clock", "POST", headers, body))

    def _take(self, answer: Response) -> None:
        content = json.loads(answer.body)
        if answer.status != 200:
            raise VenueUnavailable(f"the twin at {self._url} says: {content.get('error', '')}")
        self._now_ms = int(content["now_ms"])


class Bars:
    """Closed bars of some instruments, asked of the venue.

    Parameters
    ----------
    channel : Channel
    instruments : sequence of Instrument
        Of Bybit.
    timeframe_ms : int
        One the venue has bars of.
    """

    def __init__(
        self, channel: Channel, instruments: Sequence[Instrument], timeframe_ms: int
    ) -> None:
        self._channel, self._instruments = channel, instruments
        self.timeframe_ms = timeframe_ms
        self._interval = interval_name(timeframe_ms)
        self._stand: dict[InstrumentId, tuple[str, int]] = {}

    def closed(self, after_ms: int, now_ms: int) -> list[Row]:
        """Return the rows that opened after a stamp and have closed, oldest first.

        After a long absence these are the oldest, none left out; the rest follows from the last of
        them.

        Parameters
        ----------
        after_ms : int
            Stamp of the last row known.
        now_ms : int
            Present time at the venue.

        Raises
        ------
        VenueUnavailable, VenueRefused
            If the venue does not answer or has no such market.
        """
        return self._between(after_ms, self._last_ms(now_ms))[0]

    def likely_ms(self) -> int:
        """Return the venue's time now, as far as its clock was measured; asks nobody."""
        return self._channel.likely_ms()

    def known(self, after_ms: int, now_ms: int) -> tuple[list[Row], int]:
        """Return closed rows by the venue's own clock, and the stamp up to which these are all.

        Raises
        ------
        VenueUnavailable, VenueRefused
            As `closed`.
        """
        now_ms = min(now_ms, self._channel.earliest_ms())
        return self._between(after_ms, self._last_ms(now_ms))

    def _last_ms(self, now_ms: int) -> int:
        """Return the stamp of the last bar that has closed."""
        return now_ms // self.timeframe_ms * self.timeframe_ms - self.timeframe_ms

    def _between(self, after_ms: int, last_ms: int) -> tuple[list[Row], int]:
        """Ask page by page, the oldest first; return rows and the stamp they reach to."""
        rows: list[Row] = []
        page_ms = _MOST * self.timeframe_ms
        first_ms = (after_ms // self.timeframe_ms + 1) * self.timeframe_ms
        while first_ms <= last_ms and len(rows) < _MOST_ROWS:
            until_ms = min(first_ms + page_ms - self.timeframe_ms, last_ms)
            columns = [self._column(item, first_ms, until_ms) for item in self._instruments]
            stamps = sorted({stamp for column in columns for stamp in column})
            rows += [Row(one, tuple(column.get(one) for column in columns)) for one in stamps]
            first_ms = until_ms + self.timeframe_ms
        return rows, first_ms - self.timeframe_ms

    def news(self) -> list[bytes]:
        """Ask how the instruments stand; return what changed since then, the first time all.

        Payloads of HEALTH inputs: the status in the venue's word, and when it is delisted (0:
        never). One that is not listed any more is Closed.

        Raises
        ------
        VenueUnavailable, VenueRefused
            If the venue does not answer.
        """
        found = []
        for item in self._instruments:
            params = {"category": item.market.removeprefix("bybit_"), "symbol": item.symbol}
            call = Call("/v5/market/instruments-info", params, is_public=True)
            try:
                rows = self._channel.call(call).rows
            except BybitRefused as refused:
                if refused.code != NO_SUCH_SYMBOL:
                    raise
                rows = []
            row = rows[0] if rows else {"status": "Closed"}
            stands = (text(row, "status") or "Trading", whole(row, "deliveryTime"))
            if self._stand.get(item.id) != stands:
                content = {"id": item.id, "status": stands[0], "delivery_ms": stands[1]}
                found.append(canonical_json({"what": "instrument", **content}))
            self._stand[item.id] = stands
        return found

    def funding(self, number: int, *, after_ms: int, until_ms: int) -> list[tuple[int, int]]:
        """Return an instrument's settlements within (after, until]: stamp, rate in 10^-12.

        Raises
        ------
        VenueUnavailable, VenueRefused
            If the venue does not answer.
        """
        item = self._instruments[number]
        params = {
            "category": item.market.removeprefix("bybit_"),
            "symbol": item.symbol,
            "startTime": after_ms + 1,
            "limit": _MOST_SETTLEMENTS,
        }
        found: list[tuple[int, int]] = []
        while until_ms > after_ms:
            call = Call(
                "/v5/market/funding/history", {**params, "endTime": until_ms}, is_public=True
            )
            rows = self._channel.call(call).rows
            found += [
                (int(row["fundingRateTimestamp"]), int(Decimal(row["fundingRate"]).scaleb(12)))
                for row in rows
            ]
            # Newest first: what is older than a full answer is asked for again.
            until_ms = found[-1][0] - 1 if len(rows) == _MOST_SETTLEMENTS else after_ms
        return sorted(found)

    def _column(self, item: Instrument, first_ms: int, last_ms: int) -> dict[int, BarUnits]:
        params = {
            "category": item.market.removeprefix("bybit_"),
            "symbol": item.symbol,
            "interval": self._interval,
            "start": first_ms,
            "end": last_ms,
            "limit": _MOST,
        }
        answer = self._channel.call(Call("/v5/market/kline", params, is_public=True))
        found = {}
        for row in answer.result["list"]:
            stamp = int(row[0])
            if first_ms <= stamp <= last_ms:
                found[stamp] = bar_units(row[1:6], item)
        return found


def bar_units(values: Sequence[str], item: Instrument) -> BarUnits:
    """Return open, high, low, close and volume, as the venue writes them, in units."""
    opening, high, low, close = (
        to_units(Decimal(text), item.price_decimals) for text in values[:4]
    )
    volume = Decimal(values[4]).scaleb(item.qty_decimals).to_integral_value()
    return opening, high, low, close, int(volume)


def interval_name(timeframe_ms: int) -> str:
    """Return the venue's name of a time frame.

    Raises
    ------
    InputError
        If the venue has no bars of it.

    Examples
    --------
    >>> interval_name(3_600_000), interval_name(86_400_000)
    ('60', 'D')
    """
    name = "D" if timeframe_ms == DAY_MS else str(timeframe_ms // MINUTE_MS)
    if name not in _INTERVALS or timeframe_ms % MINUTE_MS:
        known = ", ".join(_INTERVALS)
        raise InputError(
            f"the venue has no {timeframe_name(timeframe_ms)} bars; in minutes it has {known}"
        )
    return name
