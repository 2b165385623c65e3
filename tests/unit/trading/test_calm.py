"""Garbage is looked for where nothing waits, and everything is as before at the end."""

import gc
import sys

from openalpha.trading.run.calm import Calm


def test_garbage_is_collected_while_resting_and_only_then() -> None:
    before = (sys.getswitchinterval(), gc.isenabled())
    calm = Calm()
    calm.rest()  # nothing before it begins
    calm.begin()
    try:
        calm.begin()
        assert not gc.isenabled()
        assert sys.getswitchinterval() < before[0]
        made = [[] for _ in range(2_000)]
        for one in made:
            one.append(one)
        del made, one
        assert gc.get_count()[0] > 1_000
        calm.rest()
        assert gc.get_count()[0] < 1_000
    finally:
        calm.end()
    calm.end()
    assert (sys.getswitchinterval(), gc.isenabled()) == before
    assert gc.get_freeze_count() == 0
