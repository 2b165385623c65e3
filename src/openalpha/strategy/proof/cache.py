"""Remembers proofs: the same source, parameters and bars need no second one."""

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openalpha.strategy.bars import Bars
from openalpha.strategy.events import Strategy
from openalpha.strategy.loading import is_pure_file, package_hash, source_hash
from openalpha.strategy.params import StrategyParams
from openalpha.strategy.proof.result import Finding, FindingKind, ProofResult

if TYPE_CHECKING:
    from openalpha.market.history import History

__all__ = ["proof_key", "recall", "remember"]

_LIMIT = 4_096
_known: dict[str, ProofResult] = {}


def proof_key(
    strategy: Strategy | type[Strategy],
    histories: "Mapping[str, History | Bars]",
    *,
    params: StrategyParams,
) -> str | None:
    """Return the key of a proof, or None where the source does not say all (notebooks, models)."""
    if isinstance(strategy, type):
        if "<locals>" in strategy.__qualname__:
            return None
    elif not is_pure_file(strategy):
        return None
    parts = [package_hash(), source_hash(strategy), params.model_dump_json()]
    for key in sorted(histories):
        fingerprint = getattr(histories[key], "fingerprint", None)
        if fingerprint is None:
            return None
        parts += [key, fingerprint]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def recall(key: str, folder: Path | None) -> ProofResult | None:
    """Return a remembered proof from this process or the folder; None where there is none."""
    if key in _known:
        return replace(_known[key], evaluations=0, is_cached=True)
    if folder is None:
        return None
    # A missing, torn or foreign file is no proof; the proof is then made again.
    with suppress(OSError, ValueError, KeyError, TypeError):
        held = json.loads((folder / f"{key}.json").read_text("utf-8"))
        result = _from_json(held)
        _keep(key, result)
        return replace(result, evaluations=0, is_cached=True)
    return None


def remember(key: str, result: ProofResult, *, folder: Path | None) -> None:
    """Keep a proof in this process and, best effort, in the folder."""
    _keep(key, result)
    if folder is None:
        return
    # A cache that cannot be written costs time, never a run.
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        partial = folder / f".{key}.{os.getpid()}.tmp"
        partial.write_text(json.dumps(_to_json(result)), "utf-8")
        partial.replace(folder / f"{key}.json")


def _keep(key: str, result: ProofResult) -> None:
    if len(_known) >= _LIMIT:
        _known.pop(next(iter(_known)))
    _known[key] = result


def _to_json(result: ProofResult) -> dict[str, Any]:
    findings = [
        {
            "kind": item.kind.value,
            "instrument": item.instrument,
            "ts_ms": item.ts_ms,
            "column": item.column,
            "words": item.words,
        }
        for item in result.findings
    ]
    return {
        "schema": "openalpha.proof/1",
        "strategy": result.strategy,
        "evaluations": result.evaluations,
        "findings": findings,
    }


def _from_json(held: dict[str, Any]) -> ProofResult:
    if held["schema"] != "openalpha.proof/1":
        raise ValueError(held["schema"])
    findings = tuple(
        Finding(
            FindingKind(item["kind"]),
            str(item["instrument"]),
            int(item["ts_ms"]),
            str(item["column"]),
            str(item["words"]),
        )
        for item in held["findings"]
    )
    return ProofResult(str(held["strategy"]), findings, int(held["evaluations"]))
