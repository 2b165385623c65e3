"""A proof is made once for the same source, parameters and bars, and again for any other."""

from dataclasses import dataclass

import pytest

from openalpha.strategy import Bars, load_strategy, prove
from openalpha.strategy.proof import cache as proof_cache
from openalpha.strategy.specimen import specimen_bars

BARS = specimen_bars(2_000)


class Named(Bars):
    """Bars that carry a fingerprint, as a history does."""

    __slots__ = ("fingerprint",)


def named(fingerprint: str) -> Named:
    bars = Named(
        BARS.ts_ms,
        timeframe_ms=BARS.timeframe_ms,
        source=BARS.column,
        close_units=BARS.close_units,
        price_decimals=BARS.price_decimals,
    )
    bars.fingerprint = fingerprint
    return bars


@pytest.fixture(autouse=True)
def _forget():
    proof_cache._known.clear()
    yield
    proof_cache._known.clear()


MA = load_strategy("ma_cross")


def test_the_second_proof_costs_nothing(tmp_path):
    first = prove(MA, {"A": named("f1")}, cache=tmp_path)
    assert first.evaluations > 0
    second = prove(MA, {"A": named("f1")}, cache=tmp_path)
    assert (second.evaluations, second.is_cached, second.ok) == (0, True, True)


def test_another_process_finds_it_on_disk(tmp_path):
    prove(MA, {"A": named("f1")}, cache=tmp_path)
    proof_cache._known.clear()
    assert prove(MA, {"A": named("f1")}, cache=tmp_path).is_cached


@pytest.mark.parametrize(
    "other",
    [
        lambda: prove(MA, {"A": named("f2")}),
        lambda: prove(MA, {"B": named("f1")}),
        lambda: prove(MA, {"A": named("f1")}, params=MA.Params(fast=9)),
        lambda: prove(load_strategy("macd"), {"A": named("f1")}),
    ],
)
def test_anything_else_is_proven_anew(other):
    prove(MA, {"A": named("f1")})
    assert not other().is_cached


def test_findings_are_remembered_too(tmp_path):
    bad = load_strategy(_leaky_file(tmp_path))
    first = prove(bad, {"A": named("f1")}, cache=tmp_path)
    proof_cache._known.clear()
    second = prove(bad, {"A": named("f1")}, cache=tmp_path)
    assert second.is_cached
    assert second.findings == first.findings != ()


def test_an_edited_file_is_proven_anew(tmp_path):
    path = _leaky_file(tmp_path)
    assert not prove(load_strategy(path), {"A": named("f1")}, cache=tmp_path).ok
    path.write_text(path.read_text().replace("np.roll(bars.close, -1)", "bars.close"))
    assert prove(load_strategy(path), {"A": named("f1")}, cache=tmp_path).ok


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        '{"schema": "other/1", "strategy": "x", "evaluations": 1, "findings": []}',
        '{"schema":"openalpha.proof/1"}',
    ],
)
def test_a_torn_file_is_no_proof(tmp_path, text):
    prove(MA, {"A": named("f1")}, cache=tmp_path)
    (file,) = tmp_path.glob("*.json")
    file.write_text(text)
    proof_cache._known.clear()
    assert not prove(MA, {"A": named("f1")}, cache=tmp_path).is_cached


def test_a_folder_that_cannot_be_written_costs_only_the_cache(tmp_path):
    (tmp_path / "file").write_text("")
    assert prove(MA, {"A": named("f1")}, cache=tmp_path / "file" / "proofs").ok


def test_what_carries_a_model_is_never_cached():
    breakout = load_strategy("breakout")
    asked: list[int] = []

    def confirm(bars, breaks):
        asked.append(len(bars))
        return abs(breaks)

    @dataclass
    class Count:
        now: int = 0

    before = Count()
    for _ in range(2):
        prove(breakout(confirm), {"A": named("f1")})
        assert len(asked) > before.now
        before.now = len(asked)


def test_a_class_of_a_closure_is_never_cached():
    def make(step):
        class Local(MA):
            name = "local"
            idea = "for a test"

            def target(self, bars, params):
                return super().target(bars, params) * step

        return Local

    prove(make(1.0), {"A": named("f1")})
    assert not prove(make(0.5), {"A": named("f1")}).is_cached


def _leaky_file(folder):
    path = folder / "leaky.py"
    path.write_text(
        "import numpy as np\n"
        "from openalpha.strategy import SignalStrategy\n"
        "class Leaky(SignalStrategy):\n"
        "    name = 'leaky'\n"
        "    idea = 'for a test'\n"
        "    def target(self, bars, params):\n"
        "        return np.sign(np.roll(bars.close, -1) - bars.open)\n"
    )
    return path
