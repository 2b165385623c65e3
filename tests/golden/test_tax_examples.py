"""Worked tax examples: ours, and those a checkout has beside itself, pass by computing.

Renamed ids, scaled amounts and dates shifted by whole years must change the answers accordingly:
no table of answers could.
"""

import copy
import json
import re
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from openalpha.books.tax import worked
from openalpha.books.tax.tables import load_tables
from openalpha.books.tax.worked import check_example, check_examples

OURS = Path(worked.__file__).with_name("examples.json")
Example = dict[str, Any]


def own() -> list[Example]:
    found: list[Example] = json.loads(OURS.read_text("utf-8"))
    return found


@pytest.mark.parametrize("example", own(), ids=lambda example: example["id"])
def test_our_example_passes(example: Example) -> None:
    assert not check_example(example, tables=load_tables()).mismatches


def test_given_examples_pass(tax_examples: list[Example]) -> None:
    verdicts = check_examples(tax_examples, tables=load_tables())
    assert [(verdict.id, verdict.mismatches) for verdict in verdicts if verdict.mismatches] == []


def test_a_changed_figure_fails_every_example(tax_examples: list[Example]) -> None:
    passing = []
    for example in [*tax_examples, *own()]:
        for wrong in spoilt(example):
            if check_example(wrong, tables=load_tables()).has_passed:
                passing.append(f"{example['id']}: {wrong['expected']}")
    assert passing == []


def spoilt(example: Example) -> list[Example]:
    """Each expected figure, one at a time, off by a cent, or a flag turned round."""
    found = []
    for path in leaves(example["expected"]):
        wrong = copy.deepcopy(example)
        place, key = wrong["expected"], path[-1]
        for step in path[:-1]:
            place = place[step]
        value = place[key]
        is_name = any(name in path for name in ("must_raise", "must_not_equal"))
        if is_name:
            continue
        if isinstance(value, bool):
            place[key] = not value
        elif re.fullmatch(r"-?[\d.]+", str(value)):
            is_dollar = "whole-dollar" in example["note"].lower()
            place[key] = str(Decimal(str(value)) + (1 if is_dollar else Decimal("0.01")))
        else:
            place[key] = f"{value}?"
        found.append(wrong)
    return found


def leaves(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(node, dict):
        return [leaf for key, value in node.items() for leaf in leaves(value, (*path, key))]
    if isinstance(node, list):
        return [leaf for at, value in enumerate(node) for leaf in leaves(value, (*path, at))]
    return [path]


def test_renamed_ids_pass(tax_examples: list[Example]) -> None:
    for index, example in enumerate([*tax_examples, *own()]):
        renamed = rename(example, index)
        assert not check_example(renamed, tables=load_tables()).mismatches, example["id"]


def rename(example: Example, index: int) -> Example:
    """Give the example and its events other ids, everywhere they are named."""
    names = {str(e["id"]): f"z{index}x{e['id']}" for e in example["events"] if "id" in e}

    def changed(node: Any, key: str = "") -> Any:
        if isinstance(node, dict):
            if "/" in "".join(node):
                return {"/".join(names[p] for p in k.split("/")): v for k, v in node.items()}
            return {k: changed(v, k) for k, v in node.items()}
        if isinstance(node, list):
            return [changed(value, key) for value in node]
        if key in ("id", "event", "lot", "lots", "matches", "remaining") and isinstance(node, str):
            head, dot, tail = node.partition(".")
            return names.get(head, head) + dot + tail
        return node

    result: Example = changed({k: v for k, v in example.items() if k != "id"})
    result["expected"] = {key: changed(value, key) for key, value in example["expected"].items()}
    result["id"] = f"renamed-{index}"
    return result


AMOUNTS = {
    "aud", "fee_aud", "gain", "loss", "proceeds", "cost_base", "cost", "in_market_value_aud",
    "out_market_value_aud", "market_value_aud", "paid_aud", "price", "amount", "unit_cost",
    "unit_reduced_cost_base", "unindexed", "usd", "other", "discounted", "net_amount",
    "prior_net_capital_losses", "18H", "18A", "18V", "after_losses", "net", "net_capital_gain",
}  # fmt: skip
SCALABLE = {
    "ato-katrina-swap-new-valued", "ato-katrina-swap-new-unvalued", "ato-kal-wrap",
    "ctc-bnb-fee-in-third-coin", "ato-rhi-single", "ato-rhi-multiple", "ato-sonya-other-method",
    "ato-boris-specific-2020", "ato-boris-specific-2020-as-fifo", "rp2-run-fifo",
    "local-day", "third-element", "c2-extinguished", "fee-in-bought-coin", "deferred-loss",
}  # fmt: skip
MORE = {"reduced_cost_base", "deferred_gain", "post_gain", "indexed_cost_base", "capital_loss"}


def scale(example: Example, factor: int) -> Example:
    def changed(node: Any, key: str = "") -> Any:
        if isinstance(node, dict):
            return {k: changed(v, k) for k, v in node.items()}
        if isinstance(node, list):
            return [changed(value, key) for value in node]
        is_amount = key in AMOUNTS | MORE and isinstance(node, str)
        return str(Decimal(node) * factor) if is_amount else node

    result: Example = changed(example)
    return result


def test_scaled_amounts_scale_the_answers(tax_examples: list[Example]) -> None:
    found = [e for e in [*tax_examples, *own()] if e["id"] in SCALABLE]
    assert len(found) == len(SCALABLE)
    for example in found:
        scaled = scale(example, 7)
        assert scaled["expected"] != example["expected"]
        assert not check_example(scaled, tables=load_tables()).mismatches, example["id"]


def shift(example: Example, years: int) -> Example:
    """Move every date by whole years, in events and expectations alike."""

    def moved(found: re.Match[str]) -> str:
        return f"{int(found[1]) + years}-{found[2]}"

    def changed(node: Any) -> Any:
        if isinstance(node, dict):
            return {k: changed(v) for k, v in node.items()}
        if isinstance(node, list):
            return [changed(value) for value in node]
        if not isinstance(node, str):
            return node
        text = re.sub(r"^(\d{4})-(\d\d-\d\d)", moved, node)
        year = re.fullmatch(r"(\d{4})-(\d\d)", text)
        if year is None:
            return text
        start = int(year[1]) + years
        return f"{start}-{(start + 1) % 100:02d}"

    return {
        **example,
        "events": changed(example["events"]),
        "expected": changed(example["expected"]),
    }


def test_dates_shifted_within_one_law_keep_the_answers(tax_examples: list[Example]) -> None:
    """Four years back and forth keep leap days, and every example before 2019 stays before 2027."""
    count = 0
    for example in [*tax_examples, *own()]:
        if example["regime"] != "pre-2027" or example["kind"] == "rates":
            continue
        if example["id"] in ("foreign-resident", "pre-cgt", "months-held-before"):
            continue
        latest = max(
            re.findall(r"\d{4}-\d\d-\d\d", json.dumps(example["events"])), default="2025-01-01"
        )
        years = 4 if date.fromisoformat(latest) < date(2023, 7, 1) else -4
        count += 1
        shifted = shift(example, years)
        assert not check_example(shifted, tables=load_tables()).mismatches, example["id"]
    assert count > 30


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"events": [{"type": "teleport"}]}, "unknown event type 'teleport'"),
        ({"expected": {"happiness": "1"}}, "unknown expectation 'happiness'"),
        ({"expected": {}}, "it expects nothing"),
        ({"settings": {"mood": "good"}}, "unknown setting mood"),
        ({"carry_in": {"luck": "1"}}, "unknown carry_in luck"),
        ({"colours": ["red"]}, "unknown field colours"),
        ({"method": "roulette"}, "there is no parcel method 'roulette'"),
        ({"entity": "dog"}, "there is no entity 'dog'"),
        ({"events": [{"type": "buy", "qty": 1.5}]}, "write numbers as decimal strings"),
        ({"events": [{"type": "buy", "date": "1/7/2025"}]}, "is no date"),
        ({"events": [{"type": "sell", "qty": "-1", "aud": "1"}]}, "must be above zero"),
        ({"events": [{"type": "sell", "ts": "2025-07-01T00:00:00", "tz": "Mars/Base"}]}, "Mars"),
    ],
)
def test_what_is_not_understood_fails_by_name(change: Example, sentence: str) -> None:
    example = {
        "id": "x",
        "entity": "individual",
        "regime": "pre-2027",
        "method": "fifo",
        "events": [{"type": "buy", "qty": "1", "aud": "1"}],
        "expected": {"gain": "0"},
    }
    verdict = check_example({**example, **change}, tables=load_tables())
    assert any(sentence in mismatch for mismatch in verdict.mismatches), verdict.mismatches
