"""The compiled loops: cached under their source, and dispensable."""

import sys
from fractions import Fraction

import numpy as np
import pytest

from openalpha.strategy import compiled
from openalpha.strategy.compiled import loops


def test_another_version_or_source_has_another_folder(monkeypatch, tmp_path):
    first = compiled.cache_folder("0.1")
    assert compiled.cache_folder("0.2") != first
    edited = tmp_path / "loops.py"
    edited.write_text("edited")
    monkeypatch.setattr(loops, "__file__", str(edited))
    assert compiled.cache_folder("0.1") != first


def test_the_folder_can_be_put_elsewhere(monkeypatch, tmp_path):
    monkeypatch.setenv("OPENALPHA_KERNEL_CACHE", str(tmp_path))
    assert compiled.cache_folder("0.1").parent == tmp_path


def test_without_a_compiler_there_is_none_and_nothing_breaks(monkeypatch):
    compiled.compiled_loop.cache_clear()
    monkeypatch.setitem(sys.modules, "numba", None)
    try:
        assert compiled.compiled_loop("cross_of_means") is None
        assert not compiled.warm()
    finally:
        compiled.compiled_loop.cache_clear()


def test_compiled_and_plain_give_the_same_bytes():
    units = np.random.default_rng(0).integers(1, 10**6, 500)
    for windows in ((3, 7, 0), (1, 2, 30)):
        found, expected = np.full(500, np.nan), np.full(500, np.nan)
        loop = compiled.compiled_loop("cross_of_means")
        assert loop is not None
        loop(units, *windows, -1, 1, found)
        loops.cross_of_means(units, *windows, -1, 1, expected)
        assert found.tobytes() == expected.tobytes()


@pytest.mark.parametrize("windows", [(3, 7, 0), (1, 2, 30), (5, 20, 21), (499, 500, 0)])
@pytest.mark.parametrize("rows", [500, 501, 20])
def test_a_cross_is_what_the_means_say(windows, rows):
    units = np.random.default_rng(1).integers(1, 50, rows)
    fast, slow, trend = windows
    found = np.full(rows, np.nan)
    loop = compiled.compiled_loop("cross_of_means")
    assert loop is not None
    assert loop(units, fast, slow, trend, -1, 1, found) == units[: max(slow, trend, rows)].max()
    for row in range(rows):
        if row + 1 < max(slow, trend):
            assert np.isnan(found[row])
            continue
        means = [Fraction(int(units[row + 1 - n : row + 1].sum()), n) for n in windows if n]
        rising, falling = means == sorted(set(means), reverse=True), means == sorted(set(means))
        assert found[row] == rising - falling, row


@pytest.mark.parametrize("windows", [(3, 7, 0), (1, 2, 30), (5, 20, 21), (499, 500, 0)])
@pytest.mark.parametrize("rows", [500, 501, 20])
def test_a_cross_of_shared_sums_is_the_same(windows, rows):
    units = np.random.default_rng(1).integers(1, 50, rows)
    sums = np.concatenate([[0.0], np.cumsum(units - units[0])])
    plain, shared = (
        compiled.compiled_loop("cross_of_means"),
        compiled.compiled_loop("cross_of_sums"),
    )
    assert plain is not None and shared is not None
    for short in (-1_000_000, 0):
        expected, found, slow = (np.full(rows, 7, dtype=np.int32) for _ in range(3))
        plain(units, *windows, short, 1_000_000, expected)
        shared(sums, *windows, short, 1_000_000, found)
        loops.cross_of_sums(sums, *windows, short, 1_000_000, slow)
        assert found.tobytes() == expected.tobytes() == slow.tobytes()
