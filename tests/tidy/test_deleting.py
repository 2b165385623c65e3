"""Every place that deletes something is known, with what it may delete: never a tax record."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.tidy.tree import ROOT

SOURCE = ROOT / "src" / "openalpha"
CALLS = {"unlink", "rmtree", "rmdir", "remove", "removedirs", "truncate", "delete"}
SQL = re.compile(r"\b(DELETE FROM|DROP TABLE|TRUNCATE TABLE)\b")

KNOWN = {
    "books/imports/storing.py": "records of a file read anew, kept before as the entity's word",
    "cli/backup.py": "tables of a new home, once its server has them",
    "market/export.py": "the unfinished file of an export",
    "market/importers/run.py": "the unfinished list of rejected rows",
    "market/staging.py": "months being prepared for the lake",
    "market/synth/keep.py": "a synthetic market in the place of which another is put",
    "research/sweep_store.py": "what an earlier sweep of the same question kept",
    "risk/memory.py": "a person's word to the guardian, once it was taken",
    "store/atomic.py": "the unfinished file or folder of a write",
    "store/backup.py": "an unfinished backup, an unfinished restoration",
    "store/disk.py": "the torn end of a log, kept aside before",
    "store/run_log.py": "the torn end of a log, kept aside before",
    "trading/safety/arming.py": "an arming that is over",
    "trading/run/commands.py": "a command that was taken",
    "trading/run/folder.py": "the folder of a run refused before its log began: it did nothing",
    "trading/safety/emergency_lock.py": "a lock that was released",
    "trading/safety/wiping.py": "logs of simulated runs a person erases; live is refused",
    "venue/twin/journal.py": "days of the twin's own journal that its snapshot replaces",
}
"""Files of the program that delete, and what. A new one is judged here before it passes."""


def deleting(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr in CALLS and _is_of_files(node):
                yield f"line {node.lineno}: .{node.func.attr}()"
        elif isinstance(node, ast.Constant) and SQL.search(str(node.value)):
            yield f"line {node.lineno}: {str(node.value)[:40]!r}"


def _is_of_files(node: ast.Call) -> bool:
    """Leave out `remove` and `delete` of lists, sets and HTTP: they have one plain argument."""
    assert isinstance(node.func, ast.Attribute)
    if node.func.attr == "remove":
        return isinstance(node.func.value, ast.Name) and node.func.value.id == "os"
    if node.func.attr == "truncate":
        return not ast.unparse(node.func.value).endswith(".dt")  # of dates
    if node.func.attr == "delete":
        owner = ast.unparse(node.func.value)
        return owner.isupper() or owner == "os"
    return True


def test_nothing_deletes_but_what_is_known() -> None:
    found = {
        path.relative_to(SOURCE).as_posix(): list(deleting(path))
        for path in sorted(SOURCE.rglob("*.py"))
    }
    places = {name: lines for name, lines in found.items() if lines}
    unknown = {name: lines for name, lines in places.items() if name not in KNOWN}
    assert not unknown, "say in KNOWN what these may delete, and prove that it is no tax record"
    idle = {name for name in found if name in KNOWN and name not in places}
    assert idle <= {"store/run_log.py"}, "these delete nothing any more"
