"""The written format of worked examples: every type and figure, each with meaning and example."""

import json
from pathlib import Path
from typing import Any

import pytest

from openalpha.books.tax import Refused, worked
from openalpha.books.tax.worked import known_event_types, known_figures
from openalpha.books.tax.worked.events_read import read_events

SCHEMA: dict[str, Any] = json.loads(
    (Path(__file__).parents[4] / "docs" / "tax" / "example-schema.json").read_text("utf-8")
)
EVENTS: dict[str, Any] = SCHEMA["$defs"]["events"]
OURS: list[dict[str, Any]] = json.loads(
    Path(worked.__file__).with_name("examples.json").read_text("utf-8")
)


def test_every_event_type_is_described_and_no_other() -> None:
    assert sorted(EVENTS) == known_event_types()


def test_every_figure_is_described_and_no_other() -> None:
    described = SCHEMA["$defs"]["example"]["properties"]["expected"]["properties"]
    assert sorted(described) == known_figures()


@pytest.mark.parametrize("name", sorted(EVENTS))
def test_each_event_has_meaning_fields_and_a_readable_example(name: str) -> None:
    event = EVENTS[name]
    assert event["description"]
    for field, meaning in event["properties"].items():
        assert meaning.get("description") or field == "type", field
    (example,) = event["examples"]
    assert set(example) <= set(event["properties"]) | {"type"}
    assert set(event["required"]) <= set(example)
    before = [{"type": "sell", "date": "2005-07-01", "usd": "1200", "audusd": "0.50", "qty": "1"}]
    if name == "indexed_cost_base":
        before = [{"type": "buy", "date": "2027-07-01", "aud": "100000"}]
    if name == "deceased":
        with pytest.raises(Refused, match="registered tax agent"):
            read_events([example])
        return
    read_events([*before, example])


def test_our_examples_use_described_fields() -> None:
    for example in OURS:
        for event in example["events"]:
            known = EVENTS[event.get("type", "case")]["properties"]
            assert set(event) <= set(known) | {"type"}, (example["id"], event)
