"""The post beside a trader's loop: it beats, and tells what is new, once."""

from pathlib import Path

from openalpha.risk.health import Health
from openalpha.risk.memory import RiskMemory
from openalpha.trading.safety.emergency_lock import Lock, lock
from openalpha.trading.safety.emergency_post import SafetyPost
from openalpha.trading.safety.guardian_heartbeat import Heartbeat, read_beat


class Steady:
    """A clock set by hand."""

    now = 0

    def __call__(self) -> int:
        return self.now


def test_it_beats_and_tells_what_is_new_once(tmp_path: Path) -> None:
    steady = Steady()
    post = SafetyPost(tmp_path, "twin", lambda who: None, steady_ms=steady)

    def look(after_ms: int) -> Health | None:
        steady.now += after_ms
        return post.look(77)

    assert look(0) is None
    beat = read_beat(tmp_path, "twin")
    assert beat is not None and beat.ts_ms == 77
    lock(tmp_path, "twin", why=Lock("a bad day", "ann", 0))
    assert look(499) is None, "it looks twice a second"
    assert look(1) == Health("a bad day (by ann)")
    assert look(500) is None
    RiskMemory(tmp_path, "twin").ask_release(ts_ms=1, who="ann", words="calm", reset=False)
    told = look(500)
    assert told is not None and told.release is not None and told.release.words == "calm"
    assert look(500) is None, "a release is taken once"


def test_a_guardian_s_silence_is_told_in_steps_and_its_return(tmp_path: Path) -> None:
    steady = Steady()
    heart = Heartbeat(tmp_path, "twin", role="guardian")
    heart.beat(1)
    post = SafetyPost(tmp_path, "twin", lambda who: None, steady_ms=steady)
    told = []
    for _ in range(25):
        told.append(post.look(0))
        steady.now += 500
    silences = [one.guardian_silent_ms for one in told if one is not None]
    assert silences == [0, 5_000, 10_000]
    heart.beat(2)
    again = post.look(0)
    assert again is not None and again.guardian_silent_ms == 0
    heart.end(3)
    steady.now += 500
    gone = post.look(0)
    assert gone is not None and gone.guardian_silent_ms is None
