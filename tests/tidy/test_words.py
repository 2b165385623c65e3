"""Words that must not stand in the repository: vague names, machine paths, registry hosts."""

import ast
import re
from pathlib import Path

import pytest

from tests.tidy.tree import PACKAGE, parsed, python_files, relative, tracked_files

VAGUE = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "stuff"}

# Each pattern has a letter in brackets, so that this file does not break its own rule.
FORBIDDEN = {
    "a path of one machine": re.compile(
        r"(?<![\w.])/(?:wor[k]|far[m]|roo[t]|home/[a-z]+|Users)/|/tm[p]/[a-z]+/"
    ),
    "a folder beside the checkout": re.compile(r"\.\./share[d]"),
    "a package registry": re.compile(
        r"pyp[i]\.org|pythonhoste[d]|registry\.npmj[s]|--(?:extra-)?index-ur[l][ =]", re.I
    ),
    "a paper of the workplace": re.compile(
        r"\b(?:ARCHITECTUR[E]|STYL[E]|PEER[S]|FEATURE[S]|HONEST[Y]|KERNE[L]|BYBIT_V[5]|TAX_A[U])"
        r"(?:\.md\b| (?:section )?[A-Z]?\d)"
    ),
    "how it was written": re.compile(
        r"\b(?:AI assistan[t]|as an A[I]|Claud[e]|ChatGP[T]|Copilo[t]|language model wrot[e])\b"
    ),
}
BINARY = {".png", ".jpg", ".gz", ".zip", ".parquet", ".feather", ".woff2", ".ico", ".pdf"}


def texts() -> list[Path]:
    return [path for path in tracked_files() if path.suffix not in BINARY]


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_forbidden_words(what: str) -> None:
    pattern = FORBIDDEN[what]
    found = [
        f"{relative(path)}:{number}: {line.strip()[:90]}"
        for path in texts()
        for number, line in enumerate(path.read_text("utf-8", "replace").splitlines(), 1)
        if pattern.search(line)
    ]
    assert not found, f"{what} stands in:\n" + "\n".join(found)


@pytest.mark.parametrize(
    ("what", "line", "word"),
    [
        ("a path of one machine", "see /{}/.cache", "root"),
        ("a folder beside the checkout", "cat ../{}/x", "shared"),
        ("a package registry", "https://{}.org/simple", "pypi"),
        ("a paper of the workplace", "as in {} 2.7", "STYLE"),
        ("how it was written", "as an {}", "AI"),
    ],
)
def test_each_pattern_bites(what: str, line: str, word: str) -> None:
    assert FORBIDDEN[what].search(line.format(word))


def test_files_are_named_after_what_they_hold() -> None:
    vague = [relative(path) for path in python_files() if VAGUE.intersection(path.stem.split("_"))]
    assert not vague, f"name each file after the one thing it holds: {vague}"


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        relative(path)
        for path in python_files()
        if path.read_text("utf-8").strip() and not (parsed(path).body and _docstring(path))
    ]
    assert not silent, f"start with a sentence saying what the module is for: {silent}"


def _docstring(path: Path) -> str | None:
    return ast.get_docstring(parsed(path))


def test_every_package_is_marked() -> None:
    folders = {path.parent for path in python_files("src") if path.suffix == ".py"}
    unmarked = [relative(folder) for folder in folders if not (folder / "__init__.py").is_file()]
    assert PACKAGE in folders
    assert not unmarked, f"these folders lack __init__.py: {unmarked}"
