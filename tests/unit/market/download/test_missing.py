"""What a series lacks: nothing known is asked for again, nothing unknown is forgotten."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from openalpha.market.download.missing import missing_spans, windows


@given(
    known=st.lists(st.integers(-20, 220), max_size=60),
    start=st.integers(0, 100),
    length=st.integers(0, 100),
    step=st.sampled_from([1, 3, 10]),
)
def test_spans_hold_exactly_the_unknown_stamps(
    known: list[int], start: int, length: int, step: int
) -> None:
    spans = missing_spans(np.array(known, dtype=np.int64), (start, start + length), step_ms=step)
    found = [ts for begin, end in spans for ts in range(begin, end, step)]
    wanted = [ts for ts in range(start, start + length) if ts % step == 0 and ts not in set(known)]
    assert found == wanted
    assert all(later[0] > before[1] for before, later in pairwise(spans))


@given(st.integers(0, 50), st.integers(1, 300), st.sampled_from([1, 7]), st.integers(1, 40))
def test_windows_join_to_the_span(start: int, length: int, step: int, rows: int) -> None:
    stop = start + length
    found = list(windows((start, stop), step_ms=step, rows=rows))
    assert found[0][0] == start
    assert found[-1][1] == stop
    assert all(before[1] == later[0] for before, later in pairwise(found))
    assert all(0 < end - begin <= rows * step for begin, end in found)
