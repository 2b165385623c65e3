"""Size limits with a ratchet: a new offence fails, an old one may only shrink."""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tidy.tree import ROOT, parsed, python_files, relative

LIMITS = {"file_lines": 400, "function_lines": 60, "positional_parameters": 2}
RATCHET = Path(__file__).with_name("ratchet.toml")


def functions(path: Path) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Every function of a file with the dotted name it has there."""

    def below(node: ast.AST, prefix: str) -> Iterator[tuple[str, ast.FunctionDef]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{prefix}{child.name}", child
                yield from below(child, f"{prefix}{child.name}.")
            elif isinstance(child, ast.ClassDef):
                yield from below(child, f"{prefix}{child.name}.")
            else:
                yield from below(child, prefix)

    yield from below(parsed(path), "")


def length_without_docstring(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    assert node.end_lineno is not None
    lines = node.end_lineno - node.lineno + 1
    first = node.body[0]
    if ast.get_docstring(node, clean=False) is not None:
        assert first.end_lineno is not None
        lines -= first.end_lineno - first.lineno + 1
    return lines


def positional(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Positional parameters of a public function; 0 where the rule does not apply."""
    names = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args)]
    marks = " ".join(ast.unparse(mark) for mark in node.decorator_list)
    if node.name.startswith(("_", "test_")) or "jit" in marks or "compiled" in marks:
        return 0
    return len([name for name in names if name not in ("self", "cls")])


def is_free_in_parameters(path: Path) -> bool:
    """Compiled code takes plain positional arguments; typer and pytest call by name."""
    return bool({"kernel", "compiled", "cli", "tests"}.intersection(path.relative_to(ROOT).parts))


def measured() -> dict[str, dict[str, int]]:
    """Every value above its limit: limit name -> place -> value."""
    found: dict[str, dict[str, int]] = {name: {} for name in LIMITS}
    for path in python_files():
        name = relative(path)
        found["file_lines"][name] = len(path.read_text("utf-8").splitlines())
        for function, node in functions(path):
            place = f"{name}:{function}"
            found["function_lines"][place] = length_without_docstring(node)
            if not is_free_in_parameters(path):
                found["positional_parameters"][place] = positional(node)
    return {
        limit: {place: value for place, value in places.items() if value > LIMITS[limit]}
        for limit, places in found.items()
    }


@pytest.mark.parametrize("limit", LIMITS)
def test_nothing_grows_beyond_its_limit(limit: str) -> None:
    allowed = tomllib.loads(RATCHET.read_text("utf-8")).get(limit, {})
    found = measured()[limit]
    grown = {
        place: value for place, value in found.items() if value > allowed.get(place, LIMITS[limit])
    }
    assert not grown, f"{limit} must stay within {LIMITS[limit]}; split or simplify: {grown}"


@pytest.mark.parametrize("limit", LIMITS)
def test_the_ratchet_shrinks_with_the_code(limit: str) -> None:
    allowed = tomllib.loads(RATCHET.read_text("utf-8")).get(limit, {})
    found = measured()[limit]
    stale = {
        place: found.get(place, 0)
        for place, value in allowed.items()
        if found.get(place, 0) < value
    }
    assert not stale, f"better than ratchet.toml says; write the smaller number there: {stale}"


def test_a_long_function_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "long.py"
    path.write_text("def walk():\n    '''Doc.'''\n" + "    x = 1\n" * 60, "utf-8")
    (name, node), *_ = functions(path)
    assert (name, length_without_docstring(node)) == ("walk", 61)
