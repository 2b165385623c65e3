"""Histories of the lake, made ready to be replayed by a twin."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from openalpha.core.clock import parse_timeframe
from openalpha.core.errors import InputError
from openalpha.market.history import History
from openalpha.market.lake import Lake
from openalpha.market.tape import Tape, recorded_history, tape_of
from openalpha.venue.twin.recorded import Recording

__all__ = ["FEEDS", "load_recordings", "shifted"]

FEEDS = ("bars", "trades", "book")
"""What a market is replayed from: bars; trades; depth and trades."""


def load_recordings(
    home: Path,
    names: Mapping[str, str],
    *,
    timeframe: str,
    feed: str = "bars",
    start_ms: int | None = None,
    now_ms: int | None = None,
) -> tuple[dict[str, Recording], int]:
    """Load the histories that markets of a twin replay.

    Parameters
    ----------
    home : Path
        Whose lake holds them.
    names : mapping
        Market of the twin to instrument of the lake: `linear:BTCUSDT` to `bybit_linear:BTCUSDT`.
    timeframe : str
    feed : str
        One of `FEEDS`. Recorded trades and depth begin on a bar of the time frame.
    start_ms : int, optional
        Where the replay begins; the first common bar if not given. Earlier bars are the past.
    now_ms : int, optional
        Move the recording so that it begins now (a twin on the wall clock); None leaves its stamps.

    Returns
    -------
    tuple
        The histories by market, and the moment at which the replay begins.

    Raises
    ------
    InputError
        If the feed has another name, the lake lacks one, or it ends before the start.
    """
    if feed not in FEEDS:
        raise InputError(f"feed was '{feed}', expected one of {', '.join(FEEDS)}")
    lake, frame = Lake(home), parse_timeframe(timeframe)
    loaded: dict[str, Recording] = {
        key: lake.load(name, timeframe)
        if feed == "bars"
        else _recorded(lake, name, frame, with_depth=feed == "book")
        for key, name in names.items()
    }
    bars = {key: one.history if isinstance(one, Tape) else one for key, one in loaded.items()}
    begin = max(int(one.ts_ms[0]) for one in bars.values()) if start_ms is None else start_ms
    for key, one in bars.items():
        if begin >= one.end_ms:
            raise InputError(f"the recording of {key} ends before the replay begins")
    if now_ms is None:
        return loaded, begin
    shift = (now_ms - begin) // frame * frame + frame
    return {key: shifted(one, by_ms=shift) for key, one in loaded.items()}, now_ms


def _recorded(lake: Lake, name: str, frame_ms: int, *, with_depth: bool) -> Tape:
    bars = recorded_history(lake, name, timeframe_ms=frame_ms, with_depth=with_depth)
    return tape_of(lake, bars, with_depth=with_depth)


def shifted(recorded: Recording, *, by_ms: int) -> Recording:
    """Return a recording at other stamps."""
    if isinstance(recorded, Tape):
        return Tape(
            _moved(recorded.history, by_ms),
            recorded.trades + np.array([by_ms, 0, 0, 0]),
            recorded.depth + np.array([by_ms, 0, 0, 0, 0]),
            recorded.fingerprint,
        )
    return _moved(recorded, by_ms)


def _moved(recorded: History, by_ms: int) -> History:
    return History.of(
        recorded.instrument,
        recorded.timeframe_ms,
        ts_ms=recorded.ts_ms + by_ms,
        bars=recorded.bars,
        mark=recorded.mark,
        index=recorded.index,
        funding=(recorded.funding_ts_ms + by_ms, recorded.funding_rate_e12),
        notes=(*recorded.notes, f"replayed: stamps moved by {by_ms} ms"),
    )
