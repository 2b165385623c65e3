"""What a paper run of `openalpha run` is filled by: bars, trades or the order book."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from openalpha.core.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from openalpha.engine.signals import EngineSettings
    from openalpha.market.history import History
    from openalpha.settings import LoadedSettings
    from openalpha.trading.run.plan import RunPlan

__all__ = ["paper_settings", "recorded_feed", "unheard"]

_FEEDS = ("bars", "trades", "book")


def paper_settings(loaded: "LoadedSettings") -> "EngineSettings":
    """Return the settings of a paper run: `paper.feed` says what fills are made of.

    Raises
    ------
    InputError
        If `fills.feed` says otherwise.
    """
    from openalpha.engine.run import VenueSettings
    from openalpha.engine.signals import EngineSettings

    groups = loaded.settings
    feed = groups.paper.feed
    if groups.fills.feed not in {"bars", feed}:
        raise InputError(
            f"fills.feed is {groups.fills.feed} and paper.feed {feed}; for paper set paper.feed = "
            f"{groups.fills.feed} alone"
        )
    fills = replace(groups.fills, feed=feed)
    venue = VenueSettings(groups.costs, groups.margin, fills)
    return EngineSettings(venue, groups.sizing, groups.risk)


def unheard(plan: "RunPlan", folder: "Path") -> list[str]:
    """Say which strategies have callbacks that this run's feed never calls.

    Parameters
    ----------
    folder : Path
        The user's strategy files.
    """
    from openalpha.strategy import load_strategy
    from openalpha.trading.venue.seen_market import heard_by

    feed, found = plan.settings.venue.fills.feed, []
    for part in plan.strategies:
        wanted = heard_by([load_strategy(part.ref, folder=folder)])
        if _FEEDS.index(wanted) > _FEEDS.index(feed):
            name = "on_book" if wanted == "book" else "on_trade"
            words = f"{name} of {part.name} is never called on {feed}"
            found.append(f"{words}: set paper.feed = {wanted}")
    return found


def recorded_feed(
    loaded: "LoadedSettings", histories: "Mapping[str, History]"
) -> dict[str, Any] | None:
    """Return what the record of a run on recorded messages says of them; None where bars lead it.

    Raises
    ------
    InputError
        If more than one instrument was asked for.
    DataError
        If the lake has no messages of it.
    """
    feed = loaded.settings.paper.feed
    if feed == "bars":
        return None
    from openalpha.market.lake import Lake
    from openalpha.market.tape import tape_of
    from openalpha.trading.paper.starting import tape_feed

    if len(histories) != 1:
        raise InputError(
            f"paper.feed = {feed} trades one instrument a run; {len(histories)} were given"
        )
    lake = Lake(loaded.home, settings=loaded.settings.data)
    history = next(iter(histories.values()))
    return tape_feed(tape_of(lake, history, with_depth=feed == "book"), feed)
