"""Imports go one way: the contracts of pyproject.toml, and what the compiled kernel may know."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tidy.tree import PACKAGE, ROOT, parsed, python_files, relative

KERNEL = PACKAGE / "venue" / "kernel"
KERNEL_MAY_IMPORT = ("numpy", "numba", "openalpha.core", "openalpha.venue.kernel")


def test_contracts_hold() -> None:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]


def imported(tree: ast.Module) -> set[str]:
    """Absolute names of every module imported anywhere in a file."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(item.name for item in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            assert node.module is not None
            names.add(node.module)
    return names


def foreign(names: set[str]) -> set[str]:
    """What the kernel must not import among these."""
    return {
        name
        for name in names
        if name.split(".")[0] not in sys.stdlib_module_names
        and not any(
            name == allowed or name.startswith(f"{allowed}.") for allowed in KERNEL_MAY_IMPORT
        )
    }


@pytest.mark.parametrize(
    "path", [path for path in python_files("src") if KERNEL in path.parents], ids=relative
)
def test_the_kernel_knows_numpy_numba_and_core_only(path: Path) -> None:
    unwanted = foreign(imported(parsed(path)))
    assert not unwanted, f"{relative(path)} imports {sorted(unwanted)}"


def test_a_foreign_import_is_seen() -> None:
    tree = ast.parse(
        "import polars\nfrom openalpha.market.history import History\nimport numpy.random"
    )
    assert foreign(imported(tree)) == {"polars", "openalpha.market.history"}
