"""The journal of a run's decisions, in words, from its log: what was wanted and what became of it.

The engine says what it decided; at a venue the gate may refuse the order after that, and the venue
may refuse it after the gate. The last word is the one that is told.
"""

import json
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from openalpha.core.clock import format_ms
from openalpha.core.reasons import Reason, explain
from openalpha.store.run_log import Frame, FrameKind, read
from openalpha.trading.run.folder import RunFolder
from openalpha.trading.run.plan import RunPlan

__all__ = ["Journal", "journal_of"]

_QUIET = (Reason.NO_SIGNAL, Reason.UNCHANGED, Reason.WARM_UP)
_PEOPLE = "manual"
_SILENT = -(2**31)
_KINDS = frozenset({FrameKind.DECISION, FrameKind.INTENT, FrameKind.NOTE})

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Journal:
    """What was decided.

    Parameters
    ----------
    rows : list of dict
        time, book, instrument, wanted (-1 to 1 or None), reason, in_words, input: the last ones
        that mattered, oldest first.
    counts : Counter of str
        How often each reason was the reason, over the whole log.
    """

    rows: list[Row]
    counts: Counter[str]


def journal_of(folder: RunFolder, *, at_ms: int | None = None, limit: int = 20) -> Journal:
    """Return the journal of a run: decisions, refusals, and steps of risk.

    Parameters
    ----------
    at_ms : int, optional
        Only what was decided at this close, UTC ms; then every decision, else those that mattered.
    limit : int
        How many rows, the last ones.

    Raises
    ------
    DataError
        If the log is damaged.
    """
    reader = _Reader(folder.plan(), at_ms)
    rows: deque[Row] = deque(maxlen=limit)
    for block in _blocks(folder):
        rows.extend(reader.told(block))
    return Journal(list(rows), reader.counts)


def _blocks(folder: RunFolder) -> Iterator[list[tuple[Frame, Mapping[str, Any]]]]:
    """Yield what followed from one input after the other."""
    block: list[tuple[Frame, Mapping[str, Any]]] = []
    for frame in read(folder.log, _KINDS):
        content = json.loads(frame.payload)
        if block and content.get("of") != block[0][1].get("of"):
            yield block
            block = []
        block.append((frame, content))
    if block:
        yield block


@dataclass(slots=True)
class _Reader:
    plan: RunPlan
    at_ms: int | None
    counts: Counter[str] = field(default_factory=Counter)
    sent: dict[str, tuple[str, str, int]] = field(default_factory=dict)
    """Orders on their way, by id: book, instrument, and the close they were decided at."""

    def told(self, block: list[tuple[Frame, Mapping[str, Any]]]) -> Iterator[Row]:
        """Return the rows of an input; what it sent is kept until the venue has answered."""
        refused: dict[tuple[str, str], Mapping[str, Any]] = {}
        closes = [int(one["ts"]) for _, one in block if "codes" in one or "moved" in one]
        for frame, content in block:
            if frame.kind is FrameKind.INTENT and "instrument" in content and "refused" in content:
                refused[self._name(content["book"]), content["instrument"]] = content
            elif frame.kind is FrameKind.INTENT and "link" in content and "order" in content:
                self._keep(content, closes[0] if closes else frame.ts_ms)
        for frame, content in block:
            if "codes" in content:
                yield from self._decided(content, refused)
            elif "moved" in content and self.at_ms in (None, content["ts"]):
                yield self._moved(content)
            elif frame.kind is FrameKind.NOTE:
                yield from self._noted(frame, content)
        for (book, instrument), content in refused.items():
            ts_ms = closes[0] if closes else block[0][0].ts_ms
            yield from self._row(ts_ms, book, instrument, content, said=_refusal(content))

    def _decided(
        self, content: Mapping[str, Any], refused: dict[tuple[str, str], Mapping[str, Any]]
    ) -> Iterator[Row]:
        part = self.plan.strategies[content["book"]]
        targets = content.get("targets")
        for place, code in enumerate(content["codes"]):
            instrument = str(self.plan.instruments[part.numbers[place]].id)
            target = targets[place] if targets and targets[place] != _SILENT else None
            wanted = None if target is None else target / 1_000_000
            reason = Reason(code)
            said = (reason.name.lower(), explain(reason))
            no = refused.get((part.name, instrument))
            # A strategy of callbacks may have had several orders, of which one was refused.
            if no is not None and (targets or no["refused"] == said[0]):
                said = _refusal(refused.pop((part.name, instrument)))
            elif self.at_ms is None and reason in _QUIET:
                self.counts[said[1]] += 1
                continue
            yield from self._row(
                content["ts"], part.name, instrument, content, said=said, wanted=wanted
            )

    def _noted(self, frame: Frame, content: Mapping[str, Any]) -> Iterator[Row]:
        if content.get("status") in ("rejected", "cancelled", "filled", "expired"):
            book, instrument, ts_ms = self.sent.pop(content.get("link", ""), ("", "", 0))
            if book and content["status"] == "rejected":
                words = f"the venue refused it: {content['words']}"
                yield from self._row(
                    ts_ms, book, instrument, content, said=("venue_refused", words)
                )
        elif "stage" in content and "before" in content:
            words = f"risk is {content['stage']}: {content['words']}"
            yield from self._row(frame.ts_ms, "", "", content, said=(content["reason"], words))

    def _row(
        self,
        ts_ms: int,
        book: str,
        instrument: str,
        content: Mapping[str, Any],
        *,
        said: tuple[str, str],
        wanted: float | None = None,
    ) -> Iterator[Row]:
        """Count a row, and yield it where it was asked for."""
        reason, words = said
        known = Reason.__members__.get(reason.upper())
        self.counts[words if known is None else explain(known)] += 1
        if self.at_ms in (None, ts_ms):
            yield {
                "time": format_ms(ts_ms),
                "book": book,
                "instrument": instrument,
                "wanted": wanted,
                "reason": reason,
                "in_words": words,
                "input": content["of"],
            }

    def _moved(self, content: Mapping[str, Any]) -> Row:
        """Return the row of money that went from one strategy's sub-book to another's."""
        giver, taker = self._name(content["giver"]), self._name(content["taker"])
        return {
            "time": format_ms(content["ts"]),
            "book": giver,
            "instrument": "",
            "wanted": None,
            "reason": "allocation",
            "in_words": f"{content['moved']} of its money went to {taker}: the shares were due",
            "input": content["of"],
        }

    def _keep(self, content: Mapping[str, Any], ts_ms: int) -> None:
        instrument = content["order"]["instrument"]
        self.sent[content["link"]] = (self._name(content["book"]), instrument, ts_ms)

    def _name(self, book: int) -> str:
        names = [part.name for part in self.plan.strategies]
        return names[book] if book < len(names) else _PEOPLE


def _refusal(content: Mapping[str, Any]) -> tuple[str, str]:
    return content["refused"], f"the gate refused it: {content['words']}"
