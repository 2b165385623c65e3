"""Run-time dependencies: no copyleft, locked by hash, without addresses, each with a reason."""

import re
import tomllib
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import pytest

from tests.tidy.tree import ROOT

LOCKS = [ROOT / "requirements" / name for name in ("run.lock", "dev.lock")]
COPYLEFT = re.compile(r"\b(?:A?GPL|GNU (?:Affero )?General Public)", re.I)
WEAKER = re.compile(r"LGPL|Lesser General", re.I)


def pinned(lock: Path) -> list[str]:
    return re.findall(r"^([A-Za-z0-9_.-]+)==", lock.read_text("utf-8"), re.M)


def licence(found: Distribution) -> str:
    """What a package says of its licence, in the fields meant for it."""
    said = found.metadata.get("License-Expression") or ""
    classifiers = [
        text for text in found.metadata.get_all("Classifier") or [] if text.startswith("License")
    ]
    text = found.metadata.get("License") or ""
    return " ".join([said, *classifiers, text[:200]])


@pytest.mark.parametrize("name", sorted(set(pinned(LOCKS[0]))))
def test_no_copyleft_at_run_time(name: str) -> None:
    try:
        said = licence(distribution(name))
    except PackageNotFoundError:
        pytest.skip(f"{name} is not installed on this platform")
    # A choice ("MIT OR GPL") leaves us the free half.
    choices = re.split(r"\bOR\b", said)
    assert any(not COPYLEFT.search(WEAKER.sub("", choice)) for choice in choices), said


def test_copyleft_is_seen() -> None:
    assert COPYLEFT.search("GNU General Public License v3 (GPLv3)")
    assert COPYLEFT.search("AGPL-3.0-only")
    assert not COPYLEFT.search(WEAKER.sub("", "LGPL-2.1"))


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_locks_hold_hashes_and_no_addresses(lock: Path) -> None:
    text = lock.read_text("utf-8")
    assert not re.search(r"https?:|file:|^-", text, re.M), "a lock must not say where to download"
    blocks = re.split(r"^(?=\S)", text, flags=re.M)
    unhashed = [block.split()[0] for block in blocks if "==" in block and "--hash=" not in block]
    assert not unhashed


def test_the_narrow_lock_is_part_of_the_wide_one() -> None:
    narrow, wide = (
        set(re.findall(r"^(\S+==\S+)", lock.read_text("utf-8"), re.M)) for lock in LOCKS
    )
    assert narrow <= wide


def test_every_dependency_has_its_reason() -> None:
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    project = tomllib.loads(text)
    named = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    bare = [name for name in named if not re.search(rf'"{re.escape(name)}",\s*# \w', text)]
    assert not bare, f"write the reason behind each dependency: {bare}"
