"""How many trials of one sweep become rows of the ledger at once: keys, texts, columns."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, nan
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["PackedRows", "Shared", "content_key", "packed_rows"]

_SHOWN = ("sharpe", "total_return")
_JSON = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=str)


class Shared(Protocol):
    """What all trials of a batch have in common."""

    @property
    def strategy(self) -> str: ...  # noqa: D102 - see `trials.Trial`
    @property
    def instruments(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def params(self) -> Mapping[str, Any]: ...  # noqa: D102
    @property
    def source_hash(self) -> str: ...  # noqa: D102
    @property
    def data_fingerprint(self) -> str: ...  # noqa: D102
    @property
    def settings_hash(self) -> str: ...  # noqa: D102
    @property
    def is_counted(self) -> bool: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class PackedRows:
    """Columns (a value, or one value a row) and the text of each row."""

    columns: dict[str, Any]
    texts: list[bytes]


def packed_rows(
    common: Shared,
    params: Sequence[Mapping[str, Any]],
    *,
    first_day: int,
    daily_returns: Sequence[NDArray[np.float32]],
    metrics: Sequence[Mapping[str, float]],
    shared: int,
) -> PackedRows:
    """Return what `TrialLedger.append` would write for each trial, without what they share.

    Parameters
    ----------
    shared : int
        Row that holds what they share.
    """
    count = len(params)
    keys = np.empty((2, count), dtype=np.uint64)
    shown = {name: np.full(count, nan, dtype=np.float32) for name in _SHOWN}
    texts = []
    before = _encoded(common.strategy, sorted(common.instruments))[:-1] + b","
    after = b"," + _encoded(
        common.source_hash, common.data_fingerprint, common.settings_hash
    ).removeprefix(b"[")
    for row, (own, figures) in enumerate(zip(params, metrics, strict=True)):
        whole = _encoded({**common.params, **own})[1:-1]
        keys[0, row] = _key(b"[" + whole + b"]")
        keys[1, row] = _key(before + whole + after)
        kept = {name: value for name, value in figures.items() if isfinite(value)}
        for name in _SHOWN:
            shown[name][row] = kept.get(name, nan)
        texts.append(_JSON.encode({"metrics": kept, "params": own, "shared": shared}).encode())
    lengths = np.array([len(returns) for returns in daily_returns])
    columns = {
        "is_counted": common.is_counted,
        "strategy": content_key(common.strategy),
        "instruments": content_key(sorted(common.instruments)),
        "source": content_key(common.source_hash),
        "params": keys[0],
        "config": keys[1],
        "first_day": first_day,
        "last_day": first_day + lengths - 1,
        **shown,
    }
    return PackedRows(columns, texts)


def content_key(*content: Any) -> int:
    """Return a 64-bit key of anything JSON can hold.

    Examples
    --------
    >>> content_key("ma_cross") == content_key("ma_cross"), content_key("a") == content_key("b")
    (True, False)
    """
    return _key(_encoded(*content))


def _encoded(*content: Any) -> bytes:
    return _JSON.encode(content).encode()


def _key(encoded: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(encoded, digest_size=8).digest(), "little")
