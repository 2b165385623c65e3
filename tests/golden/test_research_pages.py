"""The manual's pages that are made from the code: metrics, and the schema of a result."""

import os
from pathlib import Path

import pytest

from openalpha.research.definitions import metrics_page
from openalpha.research.schema import schema_text

DOCS = Path(__file__).parents[2] / "docs"
PAGES = {"metrics.md": metrics_page, "result-schema.json": schema_text}


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_what_the_code_says(name: str) -> None:
    path, expected = DOCS / name, PAGES[name]()
    if os.environ.get("OPENALPHA_WRITE_GOLDEN"):
        path.write_text(expected, "utf-8")
    assert path.read_text("utf-8") == expected, f"run `make golden` and review docs/{name}"
