"""Checks worked examples: runs each, compares every expectation, and says what differs."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from openalpha.books.tax.amounts import exact
from openalpha.books.tax.entity import Refused
from openalpha.books.tax.rates import Tables
from openalpha.books.tax.worked.comparing import Group, Mismatch, OneOf, differences
from openalpha.books.tax.worked.figures import figure
from openalpha.books.tax.worked.outcome import Outcome, run_example
from openalpha.books.tax.worked.row import Unsupported
from openalpha.core.errors import InputError

__all__ = ["Verdict", "check_example", "check_examples"]

_WHOLE_DOLLARS = re.compile(r"whole[- ]dollar", re.I)
_KNOWN_FIELDS = {
    "id",
    "title",
    "kind",
    "source",
    "entity",
    "regime",
    "method",
    "events",
    "expected",
    "derived_fields",
    "note",
    "carry_in",
    "settings",
    "tz",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one example; `mismatches` is empty when it passed."""

    id: str
    title: str
    mismatches: tuple[Mismatch, ...]

    @property
    def has_passed(self) -> bool:
        """Whether every expectation was met."""
        return not self.mismatches


def check_examples(examples: Iterable[Any], *, tables: Tables) -> list[Verdict]:
    """Check a list of examples, each on its own.

    Parameters
    ----------
    examples : iterable
        As read from JSON.
    tables : Tables
        Rates and index numbers.

    Returns
    -------
    list of Verdict
        In the order given; a broken example is a failed verdict, never an exception.
    """
    return [
        check_example(example, tables=tables, index=index) for index, example in enumerate(examples)
    ]


def check_example(example: Any, *, tables: Tables, index: int = 0) -> Verdict:
    """Run one example and compare everything it expects.

    An unknown event, setting or expectation is a mismatch that names it.
    """
    if not isinstance(example, Mapping):
        return Verdict(f"example {index + 1}", "", ("it is not an object",))
    name = str(example.get("id", f"example {index + 1}"))
    title = str(example.get("title", ""))
    with exact():
        try:
            mismatches = _check(example, tables)
        except (Refused, InputError) as refusal:
            mismatches = [str(refusal)]
    return Verdict(name, title, tuple(mismatches))


def _check(example: Mapping[str, Any], tables: Tables) -> list[Mismatch]:
    # A remark under another name changes nothing; an object or list of facts might.
    plain = {name for name, value in example.items() if isinstance(value, str)}
    unknown = set(example) - _KNOWN_FIELDS - plain
    if unknown:
        raise Unsupported(f"unknown field {', '.join(sorted(unknown))}")
    expected = example.get("expected")
    if not isinstance(expected, Mapping) or not expected:
        return ["it expects nothing"]
    if "must_raise" in expected:
        return _refusal(example, expected, tables)
    outcome = run_example(example, tables=tables)
    is_whole = _is_in_whole_dollars(example)
    mismatches: list[Mismatch] = []
    for name, value in expected.items():
        try:
            if name == "must_not_equal":
                mismatches += _equal_to_wrong(outcome, value, expected)
                continue
            found = figure(outcome, name, expected=value)
            mismatches += differences(name, found, expected=value, is_whole_dollars=is_whole)
        except InputError as refusal:
            mismatches.append(f"{name}: {refusal}")
    return mismatches


def _is_in_whole_dollars(example: Mapping[str, Any]) -> bool:
    settings = example.get("settings") or {}
    is_said = bool(_WHOLE_DOLLARS.search(str(example.get("note", ""))))
    is_set = isinstance(settings, Mapping) and settings.get("rounding") == "dollar"
    return is_said or is_set or _is_translated_to_dollars(example)


def _is_translated_to_dollars(example: Mapping[str, Any]) -> bool:
    """Say whether foreign currency was translated and every expected figure is without cents."""
    events = example.get("events")
    rows = events if isinstance(events, list) else []
    is_foreign = any(isinstance(row, Mapping) and "audusd" in row for row in rows)
    figures = [str(value) for value in example["expected"].values()]
    return is_foreign and all(re.fullmatch(r"-?\d+", text) for text in figures)


def _refusal(
    example: Mapping[str, Any], expected: Mapping[str, Any], tables: Tables
) -> list[Mismatch]:
    """Expect a refusal with a reason; an example we cannot read is not one."""
    wanted = str(expected["must_raise"])
    try:
        outcome = run_example(example, tables=tables)
        for name, value in expected.items():
            if name != "must_raise":
                figure(outcome, name, expected=value)
    except Refused:
        return []
    if any(item.code.startswith("refer_") for item in outcome.assessment.open_items):
        return []
    return [f"it was expected to be refused ({wanted}), but was worked out"]


def _equal_to_wrong(outcome: Outcome, wrong: Any, expected: Mapping[str, Any]) -> list[Mismatch]:
    """Compare wrong answers with the figures: by name, or with every figure the example names."""
    if isinstance(wrong, Mapping):
        pairs = [(name, value) for name, value in wrong.items()]
    else:
        values = wrong if isinstance(wrong, list) else [wrong]
        names = [n for n, v in expected.items() if not isinstance(v, Mapping | list)]
        # What another law or a wrong order gives is named to be different.
        answers = {"must_not_equal", "pre_2027_answer", "wrong_order"}
        names = [name for name in names if name not in answers] or ["net_capital_gain"]
        pairs = [(name, value) for name in names for value in values]
    mismatches = []
    for name, value in pairs:
        found = figure(outcome, name, expected=value)
        if isinstance(found, Group | OneOf):
            found = found.main if isinstance(found, Group) else None
        if not differences(name, found, expected=value):
            mismatches.append(f"{name} is the wrong answer {value}")
    return mismatches
