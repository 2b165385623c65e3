"""Whether a run made again is the same: what it was made from, then every byte of its folder."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from openalpha.store.runs import StoredRun

__all__ = ["Change", "Difference", "changes", "differences"]


@dataclass(frozen=True, slots=True)
class Change:
    """Something two runs were made from that is not the same; `kind` says of what sort it is."""

    kind: str
    what: str
    then: str
    now: str

    @property
    def sentence(self) -> str:
        """What it was and is."""
        return f"{self.what} was {self.then or 'not there'}, is {self.now or 'not there'}"


@dataclass(frozen=True, slots=True)
class Difference:
    """The first place at which a file of the run made again is another.

    Parameters
    ----------
    file : str
    place : str
        A key, or a column and its row.
    then, now : str
        What stands there; empty where there is nothing.
    is_result : bool
        Whether it is a result, and not what the run was made from or an estimate beside it.
    """

    file: str
    place: str
    then: str
    now: str
    is_result: bool = True


def changes(then: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[Change, ...]:
    """Name what two records say a run was made from that is not the same.

    Parameters
    ----------
    then, now : mapping
        The contents of two record.json.

    Examples
    --------
    >>> one = {"versions": {"numpy": "2.3"}, "source_hash": "a" * 64}
    >>> changes(one, one | {"versions": {"numpy": "2.4"}})
    (Change(kind='versions', what='numpy', then='2.3', now='2.4'),)
    """
    return tuple(_changes(then, now))


def _changes(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Change]:
    if then.get("source_hash") != now.get("source_hash"):
        old, new = (str(record.get("source_hash", ""))[:12] for record in (then, now))
        yield Change("code", f"the source of {now.get('strategy')}", old, new)
    if then.get("commit") != now.get("commit"):
        yield Change("code", "our commit", _said(then, "commit"), _said(now, "commit"))
    for place, old, new in _pairs(then.get("versions", {}), now.get("versions", {})):
        yield Change("versions", place, old, new)
    for kind, name in (("config", "settings"), ("config", "params")):
        for place, old, new in _pairs(then.get(name, {}), now.get(name, {})):
            yield Change(kind, place, old, new)
    for name, old_data in then.get("data", {}).items():
        new_data = now.get("data", {}).get(name, {})
        if old_data["fingerprint"] != new_data.get("fingerprint"):
            yield Change("data", *_data_words(name, old_data, new_data))


def _said(record: Mapping[str, Any], name: str) -> str:
    return str(record.get(name) or "not noted")


def _data_words(name: str, then: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[str, str, str]:
    for key in ("bars", "from", "to", "timeframe", "price_decimals", "qty_decimals"):
        if then[key] != now.get(key):
            return f"{name}: {key.replace('_', ' ')}", str(then[key]), _said(now, key)
    what = f"{name}: the values of as many bars of the same span; their fingerprint"
    return what, then["fingerprint"][:12], _said(now, "fingerprint")[:12]


def differences(then: StoredRun, now: StoredRun) -> tuple[Difference, ...]:
    """Compare two run folders byte by byte; of each file that differs name the first place.

    Returns
    -------
    tuple of Difference
        Empty when every file is the same to the byte.
    """
    found = []
    for name in sorted({*then.names(), *now.names()}):
        old, new = then.path / name, now.path / name
        if not old.is_file() or not new.is_file():
            there = ("there", "") if old.is_file() else ("", "there")
            found.append(Difference(name, "the file itself", *there, is_result=old.is_file()))
        elif old.read_bytes() != new.read_bytes():
            found.extend(_of_file(name, then, now))
    return tuple(found)


# What stands beside the figures: what a run was made from, and an estimate by the books' rates.
_BESIDE = ("record", "after_tax")


def _of_file(name: str, then: StoredRun, now: StoredRun) -> Iterator[Difference]:
    stem, _, kind = name.rpartition(".")
    if kind == "parquet":
        yield _of_frames(name, then.frame(stem), now.frame(stem))
        return
    is_record = stem == "record"
    is_told = False
    for place, old, new in _pairs(then.document(stem), now.document(stem)):
        if place == "run_id":  # follows from the rest
            continue
        is_result = not is_record and place.split(".")[0] not in _BESIDE
        if is_result or not is_told:
            yield Difference(name, place, old, new, is_result=is_result)
            is_told = True
        if is_result:
            return
    if not is_told:
        yield Difference(name, "its layout", "", "", is_result=False)


def _of_frames(name: str, then: pl.DataFrame, now: pl.DataFrame) -> Difference:
    if then.columns != now.columns:
        return Difference(name, "columns", ", ".join(then.columns), ", ".join(now.columns))
    rows = min(len(then), len(now))
    for column in then.columns:
        # Not-a-number equals itself here, as it should.
        is_other = then[column].head(rows).ne_missing(now[column].head(rows))
        if is_other.any():
            row = int(is_other.arg_max() or 0)
            old, new = then[column][row], now[column][row]
            return Difference(name, f"row {row}, {column}", str(old), str(new))
    if len(then) != len(now):
        return Difference(name, "rows", f"{len(then):,}", f"{len(now):,}")
    return Difference(name, "its layout", "", "", is_result=False)


def _pairs(then: Any, now: Any, place: str = "") -> Iterator[tuple[str, str, str]]:
    """Yield place, old and new text wherever two plain values differ."""
    if isinstance(then, Mapping) and isinstance(now, Mapping):
        for key in [*then, *(key for key in now if key not in then)]:
            inner = f"{place}.{key}" if place else str(key)
            yield from _pairs(then.get(key), now.get(key), inner)
    elif isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        for at, (old, new) in enumerate(zip(then, now, strict=True)):
            yield from _pairs(old, new, f"{place}[{at}]")
    elif then != now:
        yield place, _text(then), _text(now)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return f"{len(value):,} entries"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."
