"""Each module says in `__all__` what it offers, completely and truly."""

import ast
from pathlib import Path

import pytest

from tests.tidy.tree import parsed, python_files, relative

MODULES = [path for path in python_files("src") if path.name != "__main__.py"]


def declared(path: Path) -> list[str] | None:
    """The names in `__all__`; None when there is none."""
    for node in parsed(path).body:
        is_all = isinstance(node, ast.Assign | ast.AnnAssign) and any(
            isinstance(target, ast.Name) and target.id == "__all__"
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        )
        if is_all and isinstance(node.value, ast.List | ast.Tuple):
            return [item.value for item in node.value.elts if isinstance(item, ast.Constant)]
    return None


def defined(path: Path) -> set[str]:
    """Public functions and classes; a command registered by decorator is reached by its name."""
    return {
        node.name
        for node in parsed(path).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and not any("app." in ast.unparse(mark) for mark in node.decorator_list)
    }


def bound(path: Path) -> set[str]:
    """Every name a module binds at its top level."""
    names: set[str] = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names.update((item.asname or item.name).split(".")[0] for item in node.names)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return names


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_exports_are_complete_and_true(path: Path) -> None:
    names = declared(path)
    if names is None:
        # A compiled package speaks through its __init__; other modules name what they offer.
        is_compiled = bool({"kernel", "compiled"}.intersection(path.parts))
        assert is_compiled or not defined(path), (
            f"{relative(path)} lacks __all__ = {sorted(defined(path))}"
        )
        return
    assert len(names) == len(set(names)), "a name stands twice in __all__"
    missing = defined(path) - set(names)
    assert not missing, f"public but not in __all__: {sorted(missing)}"
    has_lazy_names = any(
        isinstance(node, ast.FunctionDef) and node.name == "__getattr__"
        for node in parsed(path).body
    )
    unknown = set(names) - bound(path)
    assert has_lazy_names or not unknown, f"in __all__ but not defined: {sorted(unknown)}"
