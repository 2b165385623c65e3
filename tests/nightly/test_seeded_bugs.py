"""Bugs seeded into the kernel one at a time: random cases against the reference must catch each."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import openalpha
from tests.nightly.seeded_bugs import BUGS, Bug

pytestmark = pytest.mark.nightly

REPOSITORY = Path(__file__).parents[2]
PACKAGE = Path(openalpha.__file__).parent
MOST_CASES = 8_000
PATIENCE_S = 300


def hunt(root: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": f"{root}{os.pathsep}{REPOSITORY}"}
    return subprocess.run(
        [sys.executable, "-m", "tests.nightly.hunt", str(root), str(MOST_CASES)],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def copy_package(root: Path) -> Path:
    shutil.copytree(PACKAGE, root / "openalpha", ignore=shutil.ignore_patterns("__pycache__"))
    return root / "openalpha" / "venue" / "kernel"


def test_there_are_enough_bugs() -> None:
    assert len(BUGS) >= 20
    assert len({bug.what for bug in BUGS}) == len(BUGS)


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.what.replace(" ", "-"))
def test_a_seeded_bug_is_caught(bug: Bug, tmp_path: Path) -> None:
    path = copy_package(tmp_path) / bug.file
    source = path.read_text(encoding="utf-8")
    assert source.count(bug.right) == 1, f"{bug.file} no longer says {bug.right!r}: update the bug"
    path.write_text(source.replace(bug.right, bug.wrong))
    try:
        found = hunt(tmp_path)
    except subprocess.TimeoutExpired:
        return  # a kernel that never ends is caught as well
    assert found.returncode == 0, f"not caught: {bug.what}\n{found.stdout}{found.stderr}"


def test_the_kernel_as_it_is_passes_the_same_hunt(tmp_path: Path) -> None:
    """The control: without a bug there is nothing to find."""
    copy_package(tmp_path)
    found = hunt(tmp_path)
    assert found.returncode == 1, f"case {found.stdout}\n{found.stderr}"
    assert not found.stderr
