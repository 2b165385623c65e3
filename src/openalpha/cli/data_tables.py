"""How `openalpha data check` shows what it found."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from openalpha.cli.conventions import Screen
    from openalpha.market.check import LakeCheck

__all__ = ["show_check"]

_COUNTS = ("duplicates", "off_grid", "ohlc_violations", "zero_volume", "spikes", "clock_faults")
_HEADERS = ("duplicates", "off grid", "bad OHLC", "zero volume", "spikes", "clock faults")
_SHOWN = 12


def show_check(screen: "Screen", found: "LakeCheck") -> None:
    """Print one row a series, then gaps, tick changes, disagreements and unusable ranges."""
    screen.show(_series_table(found))
    _show_gaps(screen, found)
    _show_remarks(screen, found)
    if found.disagreements:
        screen.show("\nTime frames of one instrument that disagree:", _disagreements(found))
    if found.unusable:
        screen.show("\nUnusable; runs refuse these unless data.allow_unusable is on:")
        screen.show(_unusable(found))
    elif found.series:
        screen.show("\nNo range is unusable.")
    else:
        screen.show("The lake is empty; `openalpha data import` and `download` fill it.")


def _series_table(found: "LakeCheck") -> Any:
    from rich.table import Table

    table = Table("series", box=None, pad_edge=False)
    for header in ("rows", "missing", "gaps", *_HEADERS, "stale"):
        table.add_column(header, justify="right")
    for item in found.series:
        counts = [len(getattr(item, name)) for name in _COUNTS]
        numbers = [item.bars, item.missing_bars, len(item.gaps), *counts, item.stale_tail]
        table.add_row(str(item.key), *(f"{number:,}" if number else "-" for number in numbers))
    return table


def _show_gaps(screen: "Screen", found: "LakeCheck") -> None:
    from openalpha.core.clock import format_ms

    for item in found.series:
        if not item.gaps:
            continue
        screen.show(f"\nGaps of {item.key}:")
        longest = sorted(item.gaps, key=lambda gap: gap[0] - gap[1])[:_SHOWN]
        for start, end in sorted(longest):
            bars = (end - start) // item.key.timeframe_ms
            screen.show(f"  {format_ms(start)} to {format_ms(end)}: {bars:,} bars")
        if len(item.gaps) > _SHOWN:
            screen.show(f"  and {len(item.gaps) - _SHOWN} shorter ones (all are in --json)")


def _show_remarks(screen: "Screen", found: "LakeCheck") -> None:
    from openalpha.core.clock import DAY_MS, format_ms

    for item in found.series:
        for change in item.tick_changes:
            when = format_ms(change.ts_ms)
            screen.show(
                f"{item.key}: the tick goes from {change.before} to {change.after} at {when}"
            )
    for key, behind_ms in found.behind_ms.items():
        screen.show(f"{key} ends {behind_ms / DAY_MS:,.1f} days before others of {key.market}")


def _disagreements(found: "LakeCheck") -> Any:
    from rich.table import Table

    from openalpha.core.clock import format_ms

    table = Table("instrument", "between", "from", "to", box=None, pad_edge=False)
    for header in ("bars", "price apart", "volume ratio", "stands out"):
        table.add_column(header, justify="right")
    for item in found.disagreements:
        table.add_row(
            item.fine.instrument,
            f"{item.fine.timeframe} and {item.coarse.timeframe}",
            format_ms(item.from_ms),
            format_ms(item.to_ms),
            str(item.bars),
            f"{item.largest_gap * 1e4:.1f} bps",
            f"{item.volume_ratio:.2f}",
            item.suspect.timeframe if item.suspect else "neither",
        )
    return table


def _unusable(found: "LakeCheck") -> Any:
    from rich.table import Table

    from openalpha.core.clock import format_ms

    table = Table("series", "from", "to", "why", box=None, pad_edge=False)
    for item in found.unusable:
        table.add_row(str(item.key), format_ms(item.from_ms), format_ms(item.to_ms), item.why)
    return table
