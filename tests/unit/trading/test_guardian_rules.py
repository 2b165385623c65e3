"""What the guardian decides about silence, equity and the stop file."""

import json
from decimal import Decimal

from openalpha.trading.safety.guardian_rules import Act, Flow, GuardianRules
from openalpha.trading.safety.guardian_settings import GuardianSettings

SETTINGS = GuardianSettings(silent_cancel_ms=1_000, silent_flatten_ms=5_000)


def rules(**more: object) -> GuardianRules:
    return GuardianRules(GuardianSettings(**more) if more else SETTINGS)  # type: ignore[arg-type]  # by name


def acts(guard: GuardianRules, *silences: int | None) -> list[Act]:
    """What it does at each look; every act is carried out at once."""
    said = []
    for silent_ms in silences:
        act = guard.hear(silent_ms).act
        said.append(act)
        if act is not Act.NOTHING:
            guard.done(act)
    return said


def weighed(
    guard: GuardianRules, *equities: int, flows: dict[int, Flow] | None = None
) -> list[Act]:
    """What it decides at each reading, a second apart; `flows` are told at their reading."""
    said = []
    for number, equity in enumerate(equities):
        told = [flow for at, flow in (flows or {}).items() if at <= number]
        verdict = guard.weigh(number * 1_000, Decimal(equity), flows=told, is_locked=False)
        said.append(verdict.act)
    return said


N, C, F = Act.NOTHING, Act.CANCEL, Act.FLATTEN


def test_silence_cancels_first_then_flattens_each_once() -> None:
    assert acts(rules(), 0, 999, 1_000, 1_500, 4_999, 5_000, 9_000) == [N, N, C, N, N, F, N]


def test_a_trader_that_speaks_again_is_missed_again() -> None:
    assert acts(rules(), 1_000, 0, 1_000, None, 6_000, 6_500, 10, 1_000) == [C, N, C, N, F, N, N, C]


def test_what_is_not_done_is_asked_for_again() -> None:
    guard = rules()
    assert [guard.hear(1_000).act, guard.hear(1_100).act] == [C, C]
    guard.done(Act.CANCEL)
    assert guard.hear(1_200).act is N


def test_a_trader_that_never_ran_or_ended_is_not_missed() -> None:
    assert acts(rules(), None, None) == [N, N]


def test_silence_may_be_left_alone() -> None:
    assert acts(rules(silent_cancel_ms=0, silent_flatten_ms=0), 10**9) == [N]
    assert acts(rules(silent_cancel_ms=0, silent_flatten_ms=500), 499, 500) == [N, F]


def test_the_stop_file_acts_once_each_time_it_appears() -> None:
    guard = rules()
    assert guard.see_stop_file(True).act is F
    assert guard.see_stop_file(True).act is F, "until it is done"
    guard.done(Act.FLATTEN)
    assert guard.see_stop_file(True).act is N
    assert [guard.see_stop_file(False).act, guard.see_stop_file(True).act] == [N, F]


def test_equity_below_the_limit_twice_in_a_row_flattens() -> None:
    assert weighed(rules(), 1000, 840, 840, 840) == [N, N, N, F]
    assert weighed(rules(), 1000, 840, 900, 840, 900) == [N] * 5
    assert weighed(rules(), 1000, 850, 850, 850) == [N] * 4


def test_the_limit_in_code_stands() -> None:
    assert weighed(rules(max_drawdown=Decimal(0)), 1000, 840, 840, 840)[-1] is F
    assert weighed(rules(max_drawdown=Decimal("0.9")), 1000, 840, 840, 840)[-1] is F
    assert weighed(rules(max_drawdown=Decimal("0.05")), 1000, 940, 940, 940)[-1] is F


def test_a_withdrawal_that_is_told_a_look_later_is_no_loss() -> None:
    out = {2: Flow("t1", 900, Decimal(-500))}
    assert weighed(rules(), 1000, 500, 500, 500, 500, flows=out) == [N] * 5


def test_a_deposit_that_is_told_a_look_later_hides_no_loss() -> None:
    given = {2: Flow("t1", 900, Decimal(1000))}
    assert weighed(rules(), 1000, 2000, 1680, 1680, 1680, flows=given)[-1] is F


def test_a_transfer_told_twice_counts_once() -> None:
    guard = rules()
    flow = Flow("t1", 500, Decimal(-500))
    for ts_ms in range(1_000, 9_000, 1_000):
        equity = Decimal(1000 if ts_ms < 2_000 else 500)
        told = [flow] if ts_ms > 1_000 else []
        late = Flow("t1", 1_500, flow.amount)
        told = [late] if told else []
        assert guard.weigh(ts_ms, equity, flows=told, is_locked=False).act is N
    assert guard.track is not None and guard.track.drawdown == 0


def test_what_was_moved_before_the_first_look_is_no_flow() -> None:
    before = {0: Flow("t0", -5_000, Decimal(900))}
    assert weighed(rules(), 1000, 990, 980, 970, flows=before) == [N] * 4


def test_after_it_acted_it_waits_while_locked_and_acts_again_when_unlocked() -> None:
    guard = rules()
    weighed(guard, 1000, 800, 800)
    fallen = Decimal(800)
    assert guard.weigh(9_000, fallen, flows=[], is_locked=False).act is F
    guard.done(Act.FLATTEN)
    assert guard.weigh(10_000, fallen, flows=[], is_locked=True).act is N
    assert guard.weigh(11_000, fallen, flows=[], is_locked=False).act is F
    guard.forget_peak()
    for ts_ms in range(12_000, 20_000, 1_000):
        assert guard.weigh(ts_ms, fallen, flows=[], is_locked=False).act is N


def test_a_restart_remembers_the_highest_equity_and_the_transfers() -> None:
    guard = rules()
    flow = Flow("t1", 1_500, Decimal(1000))
    for ts_ms, equity in ((1_000, 1000), (2_000, 2000), (3_000, 2000), (4_000, 2000)):
        guard.weigh(ts_ms, Decimal(equity), flows=[flow], is_locked=False)
    other = rules()
    other.restore(json.loads(json.dumps(guard.state())))
    said = [
        other.weigh(ts_ms, Decimal(1690), flows=[flow], is_locked=False).act
        for ts_ms in (5_000, 6_000, 7_000)
    ]
    assert said == [N, N, F]
