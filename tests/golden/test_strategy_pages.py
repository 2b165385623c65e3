"""The tables of the manual that describe strategies and indicators say what the code says."""

import os
import re
from pathlib import Path

import pytest

from openalpha.strategy import ParameterInfo, load_strategy, parameter_table, strategy_names
from openalpha.strategy import indicators as ta

DOCS = Path(__file__).parents[2] / "docs"
IS_WRITING = os.environ.get("OPENALPHA_WRITE_GOLDEN") == "1"


def check(page: Path, mark: str, table: str) -> None:
    """Compare the marked part of a page with the table, or write it."""
    text = page.read_text("utf-8")
    pattern = re.compile(rf"<!-- {mark} -->\n.*?<!-- end -->", re.S)
    assert len(pattern.findall(text)) == 1, f"{page.name} needs one part marked {mark}"
    expected = pattern.sub(lambda _: f"<!-- {mark} -->\n\n{table}\n<!-- end -->", text)
    if IS_WRITING:
        page.write_text(expected, "utf-8")
    assert text == expected or IS_WRITING, f"{page.name} is out of date; run `make golden`"


def number(value: float | None) -> str:
    return "any" if value is None else f"{value:,.12g}"


def limits(row: ParameterInfo) -> str:
    if row.choices:
        return ", ".join(row.choices)
    return "yes or no" if row.kind == "bool" else f"{number(row.low)} to {number(row.high)}"


@pytest.mark.parametrize("name", strategy_names())
def test_the_page_of_a_strategy_lists_its_parameters(name: str) -> None:
    lines = ["| parameter | default | range | unit | meaning |", "|---|---|---|---|---|"]
    for row in parameter_table(load_strategy(name).Params):
        lines.append(f"| `{row.name}` | {row.default} | {limits(row)} | {row.unit} | {row.help} |")
    check(DOCS / "strategies" / f"{name}.md", "parameters", "\n".join(lines) + "\n")


def test_every_page_has_its_four_parts() -> None:
    pages = {path.stem for path in (DOCS / "strategies").glob("*.md")} - {"index"}
    assert pages == set(strategy_names())
    for name in pages:
        text = (DOCS / "strategies" / f"{name}.md").read_text("utf-8")
        for part in ("## Idea", "## When it fails", "## Parameters", "## A worked run"):
            assert part in text, f"{name}.md lacks {part}"


def test_the_page_of_indicators_lists_them_all() -> None:
    groups = sorted({ta.info(name).group for name in ta.names()})
    text = ""
    for group in groups:
        text += f"## {group.capitalize()}\n\n"
        text += "| name | of | parameters | gives | warm-up | memory | what |\n"
        text += "|---|---|---|---|---|---|---|\n"
        for name in ta.names(group):
            item = ta.info(name)
            parameters = ", ".join(f"{key}={value}" for key, value in item.parameters.items())
            warm_up = "by the data" if item.warm_up is None else f"{item.warm_up_bars()}"
            text += (
                f"| `{name}` | {', '.join(item.inputs)} | {parameters} | {', '.join(item.outputs)} "
                f"| {warm_up} | {item.memory.value} | {item.help} |\n"
            )
        text += "\n"
    check(DOCS / "indicators.md", "indicators", text)
