"""Looks through the lake for what is missing or wrong, and says which ranges no run should use."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from openalpha.core.clock import Clock, format_ms
from openalpha.market.blocks import Block
from openalpha.market.check_bars import SeriesCheck, check_series, spans_of
from openalpha.market.check_timeframes import (
    LEAST_UNUSABLE_BARS,
    Disagreement,
    compare_timeframes,
)
from openalpha.market.lake import Lake
from openalpha.market.series import SeriesKey, SeriesKind

__all__ = ["LakeCheck", "Unusable", "as_json", "check_lake"]

_SHOWN = 1_000


@dataclass(frozen=True, slots=True)
class Unusable:
    """A stretch [from_ms, to_ms) of a series that runs refuse, and why."""

    key: SeriesKey
    from_ms: int
    to_ms: int
    why: str


@dataclass(frozen=True, slots=True)
class LakeCheck:
    """What was found in a lake.

    Parameters
    ----------
    series : tuple of SeriesCheck
    disagreements : tuple of Disagreement
        Between time frames of one instrument.
    unusable : tuple of Unusable
    behind_ms : dict
        How long before the latest bar of its market a series of bars ends, above
        `data.stale_after`.
    """

    series: tuple[SeriesCheck, ...]
    disagreements: tuple[Disagreement, ...]
    unusable: tuple[Unusable, ...]
    behind_ms: dict[SeriesKey, int]

    @property
    def is_fine(self) -> bool:
        """Return whether no range is unusable."""
        return not self.unusable


def check_lake(
    lake: Lake,
    *,
    clock: Clock,
    only: Sequence[str] = (),
    advance: Callable[..., None] = lambda *_, **__: None,
) -> LakeCheck:
    """Look through the lake and remember its unusable ranges.

    Unusable are bars that contradict themselves (repeated or off-grid stamps, impossible
    open-high-low-close, stamps in the future) and stretches in which two time frames of the
    instrument disagree: of the one that stands out, of both where that is unclear.

    Parameters
    ----------
    lake : Lake
    clock : Clock
    only : sequence of str
        Instruments to look at; all when empty. What is remembered of others stays.
    advance : callable
        Told `advance(1, what=series)` after each series.

    Raises
    ------
    DataError
        If a file of the lake is damaged.
    """
    infos = [info for info in lake.series() if not only or info.key.instrument in only]
    checks: list[SeriesCheck] = []
    disagreements: list[Disagreement] = []
    bars: dict[SeriesKey, Block] = {}
    for place, info in enumerate(infos):
        key = info.key
        # Events are counted from the catalogue: they may be larger than the memory.
        block = lake.read(key) if key.kind.is_keyed else None
        if block is None:
            checks.append(SeriesCheck(key, info.rows))
        else:
            factor = lake.settings.spike_factor
            checks.append(check_series(key, block, now_ms=clock.now_ms(), spike_factor=factor))
            if key.kind is SeriesKind.BARS:
                bars[key] = block
        following = infos[place + 1].key.instrument if place + 1 < len(infos) else ""
        if following != key.instrument:
            disagreements += compare_timeframes(bars)
            bars.clear()
        advance(1, what=str(key))
    unusable = (*_self_contradictions(checks), *_contradicted(disagreements))
    _remember(lake, unusable, {info.key for info in infos})
    return LakeCheck(tuple(checks), tuple(disagreements), unusable, _behind(lake, checks))


def as_json(found: LakeCheck) -> dict[str, Any]:
    """Return a check as plain values for JSON; stamps are UTC ms, spans are [from, to)."""
    by_series = {item.key: item for item in found.series}
    return {
        "schema": "openalpha.data_check/1",
        "is_fine": found.is_fine,
        "series": [_series_json(item, found) for item in by_series.values()],
        "disagreements": [
            {
                "instrument": str(item.fine.instrument),
                "fine": item.fine.timeframe,
                "coarse": item.coarse.timeframe,
                **_span(item.from_ms, item.to_ms),
                "bars": item.bars,
                "largest_gap": item.largest_gap,
                "volume_ratio": item.volume_ratio,
                "suspect": item.suspect.timeframe if item.suspect else None,
            }
            for item in found.disagreements
        ],
        "unusable": [
            {"series": str(item.key), **_span(item.from_ms, item.to_ms), "why": item.why}
            for item in found.unusable
        ],
    }


def _series_json(item: SeriesCheck, found: LakeCheck) -> dict[str, Any]:
    key = item.key
    row: dict[str, Any] = {
        "instrument": str(key.instrument),
        "kind": str(key.kind),
        "timeframe": key.timeframe or None,
        "bars": item.bars,
        "missing_bars": item.missing_bars,
        "gaps": [
            {**_span(start, end), "bars": (end - start) // key.timeframe_ms}
            for start, end in item.gaps
        ],
    }
    for name in ("duplicates", "off_grid", "ohlc_violations", "zero_volume", "spikes"):
        stamps = getattr(item, name)
        row[name] = len(stamps)
        row[f"{name}_at"] = list(stamps[:_SHOWN])
    row["clock_faults"] = len(item.clock_faults)
    row["clock_faults_at"] = list(item.clock_faults[:_SHOWN])
    row["stale_tail"] = item.stale_tail
    row["behind_ms"] = found.behind_ms.get(key, 0)
    row["tick_changes"] = [
        {"at": change.ts_ms, "at_utc": format_ms(change.ts_ms), "before": change.before,
         "after": change.after}
        for change in item.tick_changes
    ]  # fmt: skip
    return row


def _span(start_ms: int, end_ms: int) -> dict[str, Any]:
    return {
        "from": start_ms,
        "to": end_ms,
        "from_utc": format_ms(start_ms),
        "to_utc": format_ms(end_ms),
    }


def _self_contradictions(checks: Iterable[SeriesCheck]) -> list[Unusable]:
    found = []
    for item in checks:
        if item.key.kind is not SeriesKind.BARS:
            continue
        faults = (
            (item.duplicates, "repeated stamps"),
            (item.off_grid, "stamps off the grid"),
            (item.ohlc_violations, "impossible open, high, low, close"),
            (item.clock_faults, "stamps in the future or before 2009"),
        )
        for stamps, why in faults:
            for start, end in spans_of(sorted(set(stamps)), item.key.timeframe_ms):
                found.append(Unusable(item.key, start, end, why))
    return found


def _contradicted(disagreements: Iterable[Disagreement]) -> list[Unusable]:
    spans: dict[tuple[SeriesKey, str], list[tuple[int, int]]] = {}
    for item in disagreements:
        if item.bars < LEAST_UNUSABLE_BARS:
            continue
        suspects = [item.suspect] if item.suspect else [item.fine, item.coarse]
        for key in suspects:
            other = item.coarse if key == item.fine else item.fine
            why = f"disagrees with its {other.timeframe} bars"
            spans.setdefault((key, why), []).append((item.from_ms, item.to_ms))
    return [
        Unusable(key, start, end, why)
        for (key, why), rows in sorted(spans.items())
        for start, end in _joined(rows)
    ]


def _joined(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _remember(lake: Lake, unusable: Sequence[Unusable], looked_at: set[SeriesKey]) -> None:
    names = {key.folder.as_posix() for key in looked_at}
    kept = {name: rows for name, rows in lake.unusable().items() if name not in names}
    for item in unusable:
        rows = kept.setdefault(item.key.folder.as_posix(), [])
        rows.append((item.from_ms, item.to_ms, item.why))
    lake.keep_unusable(kept)


def _behind(lake: Lake, checks: Sequence[SeriesCheck]) -> dict[SeriesKey, int]:
    ends: dict[SeriesKey, int] = {}
    for item in checks:
        if item.key.kind is SeriesKind.BARS:
            info = lake.info(item.key)
            if info is not None:
                ends[item.key] = info.last_ms + item.key.timeframe_ms
    latest: dict[str, int] = {}
    for key, end in ends.items():
        latest[key.market] = max(end, latest.get(key.market, 0))
    limit = lake.settings.stale_after_ms
    return {
        key: latest[key.market] - end
        for key, end in ends.items()
        if latest[key.market] - end > limit
    }
