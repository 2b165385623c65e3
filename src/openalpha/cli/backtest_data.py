"""What a run is tested on, as typed: instruments of the lake or files, by role, within a span."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from openalpha.cli.modes import refuse_tests
from openalpha.core.errors import InputError

if TYPE_CHECKING:
    from openalpha.market.history import History
    from openalpha.settings import LoadedSettings

__all__ = ["Source", "Wanted", "histories_of", "is_instrument", "parse_wanted"]

_INSTRUMENT = re.compile(r"([A-Za-z][\w.]*=)?[a-z0-9_]+:[A-Za-z0-9._-]+")
_ROLE = re.compile(r"([A-Za-z][\w.]*)=(.+)", re.S)


@dataclass(frozen=True, slots=True)
class Source:
    """One history: of the lake by its instrument, or from a file that may name one."""

    role: str = ""
    instrument: str = ""
    file: Path | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """All histories of a run, and which part of them."""

    sources: tuple[Source, ...]
    timeframe: str = ""
    start_ms: int | None = None
    end_ms: int | None = None

    def within(self, since: str, until: str) -> "Wanted":
        """Return the same between two moments, each left open when empty."""
        from openalpha.core.clock import parse_ms

        start_ms = parse_ms(since) if since else None
        end_ms = parse_ms(until) if until else None
        if start_ms is not None and end_ms is not None and start_ms >= end_ms:
            raise InputError(f"--from {since} is not before --to {until}; exchange them")
        return replace(self, start_ms=start_ms, end_ms=end_ms)


def is_instrument(text: str) -> bool:
    """Say whether a word is `[ROLE=]MARKET:SYMBOL` rather than a strategy or `FILE.py:Class`.

    Examples
    --------
    >>> is_instrument("perp=bybit_linear:BTCUSDT"), is_instrument("mine.py:Mine")
    (True, False)
    """
    return _INSTRUMENT.fullmatch(text) is not None and ".py:" not in text


def parse_wanted(instruments: Sequence[str], files: Sequence[str], *, timeframe: str) -> Wanted:
    """Return what `--instrument` and `--data` ask for; of both, the n-th go together.

    Raises
    ------
    InputError
        If there is neither, their numbers differ, or a role comes twice or for some only.

    Examples
    --------
    >>> parse_wanted(["spot=x_spot:A"], [], timeframe="1h").sources
    (Source(role='spot', instrument='x_spot:A', file=None),)
    """
    from openalpha.core.clock import parse_timeframe

    if timeframe:
        parse_timeframe(timeframe)
    if not instruments and not files:
        raise InputError(
            "nothing to test on: add --instrument bybit_linear:BTCUSDT, or --data FILE "
            "(`openalpha data list` shows what the lake has)"
        )
    if files and instruments and len(files) != len(instruments):
        raise InputError(
            f"{len(files)} --data and {len(instruments)} --instrument do not pair; "
            "give one --instrument for each file, or none"
        )
    named = [Source(*_split(text)) for text in instruments]
    if files:
        named = named or [Source()] * len(files)
        named = [_with_file(source, text) for source, text in zip(named, files, strict=True)]
    _check_roles(named)
    return Wanted(tuple(named), timeframe)


def _split(text: str) -> tuple[str, str]:
    match = _ROLE.fullmatch(text)
    return (match[1], match[2]) if match else ("", text)


def _with_file(source: Source, text: str) -> Source:
    role, name = ("", text) if Path(text).exists() else _split(text)
    if role and source.role and role != source.role:
        raise InputError(f"--data {text} plays another role than --instrument {source.role}=…")
    return replace(source, role=source.role or role, file=Path(name))


def _check_roles(sources: Sequence[Source]) -> None:
    roles = [source.role for source in sources if source.role]
    if roles and len(roles) < len(sources):
        raise InputError("some instruments have a role and some have none; give each its role")
    for role in roles:
        if roles.count(role) > 1:
            raise InputError(f"the role {role} is given twice; number them: {role}.A=…, {role}.B=…")


def histories_of(
    wanted: Wanted, loaded: "LoadedSettings", *, capital: Decimal, feed: str = ""
) -> dict[str, "History"]:
    """Read every history, by role or else by instrument.

    Parameters
    ----------
    feed : str
        What fills are to be made of; empty: as `fills.feed` says.

    Raises
    ------
    InputError, DataError
        If one of them is not there, or is not fit for a run; if this installation tests nothing.
    """
    refuse_tests(loaded.settings.trading.mode)
    found: dict[str, History] = {}
    feed = feed or loaded.settings.fills.feed
    for source in wanted.sources:
        history = _read(source, wanted, loaded, capital=capital, feed=feed)
        key = source.role or str(history.instrument.id)
        if key in found:
            raise InputError(f"{key} is given twice; give each instrument once")
        found[key] = history
    return found


def _read(
    source: Source, wanted: Wanted, loaded: "LoadedSettings", *, capital: Decimal, feed: str
) -> "History":
    if source.file is None:
        from openalpha.market.lake import Lake

        lake = Lake(loaded.home, settings=loaded.settings.data)
        if feed != "bars":
            from openalpha.core.clock import parse_timeframe
            from openalpha.market.tape import recorded_history

            return recorded_history(
                lake,
                source.instrument,
                timeframe_ms=parse_timeframe(wanted.timeframe or "1m"),
                span=(wanted.start_ms, wanted.end_ms),
                with_depth=feed == "book",
            )
        return lake.load(
            source.instrument,
            wanted.timeframe or "1h",
            start_ms=wanted.start_ms,
            end_ms=wanted.end_ms,
        )
    from openalpha.core.clock import SystemClock
    from openalpha.market.importers.direct import history_of_file

    return history_of_file(
        source.file,
        clock=SystemClock(),
        instrument=source.instrument or None,
        timeframe=wanted.timeframe or None,
        span=(wanted.start_ms, wanted.end_ms),
        capital=capital,
    )
