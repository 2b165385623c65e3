"""Histories of the lake, made ready to be replayed by a twin."""

from collections.abc import Mapping
from pathlib import Path

from openalpha.core.clock import parse_timeframe
from openalpha.core.errors import InputError
from openalpha.market.history import History
from openalpha.market.lake import Lake

__all__ = ["load_recordings", "shifted"]


def load_recordings(
    home: Path,
    names: Mapping[str, str],
    *,
    timeframe: str,
    start_ms: int | None = None,
    now_ms: int | None = None,
) -> tuple[dict[str, History], int]:
    """Load the histories that markets of a twin replay.

    Parameters
    ----------
    home : Path
        Whose lake holds them.
    names : mapping
        Market of the twin to instrument of the lake: `linear:BTCUSDT` to `bybit_linear:BTCUSDT`.
    timeframe : str
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
        If the lake lacks one, or it ends before the start.
    """
    lake = Lake(home)
    loaded = {key: lake.load(name, timeframe) for key, name in names.items()}
    frame = parse_timeframe(timeframe)
    begin = max(int(one.ts_ms[0]) for one in loaded.values()) if start_ms is None else start_ms
    for key, one in loaded.items():
        if begin >= int(one.ts_ms[-1]):
            raise InputError(f"the recording of {key} ends before the replay begins")
    if now_ms is None:
        return loaded, begin
    shift = (now_ms - begin) // frame * frame + frame
    return {key: shifted(one, by_ms=shift) for key, one in loaded.items()}, now_ms


def shifted(recorded: History, *, by_ms: int) -> History:
    """Return a history at other stamps."""
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
