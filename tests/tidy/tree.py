"""The repository's files as the tidy tests see them."""

import ast
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "openalpha"
CODE_FOLDERS = ("src", "tests", "benchmarks", "requirements", "examples")


@cache
def tracked_files() -> tuple[Path, ...]:
    """Files git knows or would add; everything outside build folders where git is not there."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return tuple(path for path in ROOT.rglob("*") if path.is_file() and _is_ours(path))
    names = [name for name in listed.decode().split("\0") if name]
    return tuple(ROOT / name for name in names if (ROOT / name).is_file())


def _is_ours(path: Path) -> bool:
    skipped = {".git", ".venv", "__pycache__", "site", "node_modules", "build", "dist"}
    return not skipped.intersection(path.relative_to(ROOT).parts)


@cache
def python_files(*folders: str) -> tuple[Path, ...]:
    """Our Python files below the named folders (all code when none is named)."""
    named = folders or CODE_FOLDERS
    return tuple(
        path
        for path in tracked_files()
        if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in named
    )


@cache
def parsed(path: Path) -> ast.Module:
    """The file's syntax tree."""
    return ast.parse(path.read_text("utf-8"), str(path))


def relative(path: Path) -> str:
    """The path as reports and the ratchet name it."""
    return path.relative_to(ROOT).as_posix()
