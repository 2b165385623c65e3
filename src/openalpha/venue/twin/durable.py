"""A twin that survives: taken up from its folder where it was, its records kept as they come."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from openalpha.core.clock import Clock
from openalpha.core.errors import StorageError
from openalpha.venue.twin.exchange import Exchange
from openalpha.venue.twin.journal import Journal, read_genesis
from openalpha.venue.twin.recorded import Recording
from openalpha.venue.twin.settings import TwinSettings

__all__ = ["open_twin", "whole_state"]

STATE_VERSION = 4


class _Fixed:
    """The clock of a twin that is being rebuilt: the moment it first began."""

    def __init__(self, ts_ms: int) -> None:
        self.ts_ms = ts_ms

    def now_ms(self) -> int:
        """Return that moment."""
        return self.ts_ms


def open_twin(
    folder: Path,
    settings: TwinSettings,
    *,
    clock: Clock,
    histories: Mapping[str, Recording] | None = None,
    begin_ms: int | None = None,
) -> tuple[Exchange, Journal]:
    """Take a twin up from its folder, or begin one there.

    Parameters
    ----------
    folder : Path
    settings : TwinSettings
        Used for a new twin; an old one keeps its own.
    clock : Clock
    histories : mapping of market key to Recording, optional
        Markets to replay: the same at every start.
    begin_ms : int, optional
        First moment of a new twin; now if not given.

    Raises
    ------
    StorageError
        If the folder is in use, damaged or not writable.
    """
    journal = Journal(folder)
    journal.open()
    try:
        genesis = read_genesis(folder)
        if genesis is None:
            genesis = (settings, clock.now_ms() if begin_ms is None else begin_ms)
            journal.begin(settings, start_ms=genesis[1])
        exchange = _rebuilt(journal, genesis[0], start_ms=genesis[1], histories=histories)
    except BaseException:
        journal.close()
        raise
    exchange.clock = clock
    exchange.keep = journal.append
    exchange.resume()
    return exchange, journal


def _rebuilt(
    journal: Journal,
    settings: TwinSettings,
    *,
    start_ms: int,
    histories: Mapping[str, Recording] | None,
) -> Exchange:
    """Return the exchange as its newest whole state and the records after it leave it."""
    exchange = Exchange(settings, _Fixed(start_ms), histories=histories)
    found = journal.load()
    after = 0
    if found is not None and found[1].get("version") != STATE_VERSION and not journal.is_whole:
        raise StorageError(
            f"{journal.folder} was kept by another version of the twin, which this one cannot take "
            "up; go on with that version, or give --state another folder"
        )
    if found is not None and found[1].get("version") == STATE_VERSION:
        after, whole = found
        for key, listing in whole["state"].listings.items():
            listing.tape.follow(exchange.state.listings[key].tape)
        replayed = {key: feed for key, feed in exchange.market.feeds.items() if feed.is_recorded}
        exchange.state, exchange.market = whole["state"], whole["market"]
        exchange.market.feeds.update(replayed)
        exchange.state.audience.clear()
    for record in journal.read(after):
        exchange.redo(record)
    return exchange


def whole_state(exchange: Exchange) -> dict[str, Any]:
    """Return all that a twin is, to be frozen by its journal."""
    return {"version": STATE_VERSION, "state": exchange.state, "market": exchange.market}
