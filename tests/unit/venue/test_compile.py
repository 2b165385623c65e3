"""How the kernel is compiled: the cache follows every source, and constants share one version."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import openalpha
from openalpha.venue.kernel import _compile, drive
from openalpha.venue.kernel._numba_inside import quick_and_plain
from openalpha.venue.kernel.arena import build_arena
from openalpha.venue.kernel.layout import I64
from openalpha.venue.kernel.setup import AccountSetup, InstrumentSetup

PACKAGE = Path(openalpha.__file__).parent


def hash_of(root: Path) -> str:
    code = "from openalpha.venue.kernel._compile import source_hash; print(source_hash())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(root), "HOME": str(root)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.mark.parametrize("edited", ["venue/kernel/arith.py", "engine/compiled/decide.py"])
def test_the_cache_folder_follows_every_compiled_source(tmp_path: Path, edited: str) -> None:
    shutil.copytree(PACKAGE, tmp_path / "openalpha", ignore=shutil.ignore_patterns("__pycache__"))
    before = hash_of(tmp_path)
    source = tmp_path / "openalpha" / edited
    source.write_text(source.read_text() + "\n# edited\n")
    assert hash_of(tmp_path) != before


def test_the_cache_folder_follows_the_options(monkeypatch: pytest.MonkeyPatch) -> None:
    before = _compile.source_hash()
    monkeypatch.setitem(_compile._OPTIONS, "fastmath", True)
    assert _compile.source_hash() != before


def test_a_name_in_the_environment_moves_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENALPHA_KERNEL_CACHE", "/elsewhere")
    assert _compile.cache_dir().parent == Path("/elsewhere")


def test_fastmath_is_off() -> None:
    assert "fastmath" not in _compile._OPTIONS


def test_constants_share_one_compiled_version() -> None:
    @_compile.compiled
    def add(x: int, y: int) -> int:
        return x + y

    @_compile.entry
    def both(x: int) -> int:
        return add(x, 1) + add(x, 2) + add(x, x)

    assert both(5) == 6 + 7 + 10
    assert len(add.overloads) == 1  # type: ignore[attr-defined]


def test_a_compiled_entry_gives_what_the_source_says() -> None:
    arena = build_arena((InstrumentSetup(1),), (AccountSetup((777,)),), 60_000)
    assert drive.equity_of(arena, 0) == 777
    assert arena.dtype == np.int64


def test_numba_is_left_as_it_was() -> None:
    from numba.core.types.functions import BaseFunction
    from numba.np import arrayobj

    def inside() -> tuple[Any, ...]:
        resolve: Any = BaseFunction.get_call_type
        return resolve, arrayobj.fix_integer_index, arrayobj.basic_indexing

    before = inside()

    @_compile.entry
    def twice(x: int) -> int:
        return x + x

    assert twice(2) == 4
    assert inside() == before
    with quick_and_plain():
        assert all(now is not then for now, then in zip(inside(), before, strict=True))
    assert inside() == before


def test_an_element_is_found_in_arrays_of_every_shape() -> None:
    @_compile.entry
    def pick(block: I64, i: int, j: int, k: int) -> int:
        row = block[i]
        block[i, j, k] += 1
        return block[i, j, k] * 1_000_000 + row[j, k] * 1_000 + block[i, j][k]

    block = np.arange(60).reshape(3, 4, 5)
    before = int(block[2, 1, 3])
    assert pick(block, 2, 1, 3) == (before + 1) * 1_001_001
    assert int(block[2, 1, 3]) == before + 1
    assert pick(np.asfortranarray(block), 2, 1, 3) == (before + 2) * 1_001_001
