"""Every reason has words of its own; its number stays in its range."""

import pytest

from openalpha.core.reasons import Reason, explain


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_words(reason):
    words = explain(reason)
    assert words
    assert words == explain(int(reason))
    assert not words.endswith(".")


def test_no_two_reasons_say_the_same():
    assert len({explain(reason) for reason in Reason}) == len(Reason)


def test_numbers_tell_fills_orders_and_decisions_apart():
    assert (Reason.MARKET, Reason.STOP_AT_GAP, Reason.CANCELLED_BY_USER) == (1, 10, 20)
    assert (Reason.SELF_MATCH, Reason.NO_SIGNAL, Reason.MISSING_BAR) == (47, 60, 72)


def test_an_unknown_code_is_a_bug():
    with pytest.raises(ValueError, match="999"):
        explain(999)
