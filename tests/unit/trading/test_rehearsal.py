"""A rehearsed decision leaves nothing behind."""

from decimal import Decimal
from pathlib import Path

from openalpha.core.messages import Environment
from openalpha.engine.rows import Row
from openalpha.engine.signals import EngineSettings
from openalpha.market.catalogue import instrument_for
from openalpha.store.frames import FrameKind
from openalpha.trading.feeds.venue_market import WallClock
from openalpha.trading.orders.side import Input
from openalpha.trading.paper.starting import Asked
from openalpha.trading.run.feed_rows import row_payload, warm_payload
from openalpha.trading.venue.desk import VenueDesk
from openalpha.trading.venue.keeping import freeze_desk
from openalpha.trading.venue.rehearsal import Rehearsal
from openalpha.trading.venue.starting import VenueTerms, begin_venue_run

MINUTE_MS = 60_000
NOW_MS = 1_800_000_000_000


def test_a_rehearsal_changes_nothing_and_the_first_decision_is_what_it_would_have_been(
    tmp_path: Path,
) -> None:
    folder = begin_venue_run(
        tmp_path,
        [Asked("ma_cross", {"fast": 1, "slow": 3})],
        instruments=[instrument_for("bybit_linear:BTCUSDT")],
        terms=VenueTerms(Environment.TWIN, MINUTE_MS, Decimal(40_000)),
        settings=EngineSettings(),
        clock=WallClock(),
    )
    rows = [
        Row(NOW_MS + number * MINUTE_MS, ((60_000_0 + number * 100,) * 4 + (1,),))
        for number in range(-20, 1)
    ]
    decided = []
    for is_rehearsed in (False, True):
        desk = VenueDesk(folder.plan(), run_id=folder.id)
        assert not Rehearsal(desk, after_ms=NOW_MS - 1).again(), "no price is known yet"
        desk.apply(1, Input(FrameKind.FEED, warm_payload(rows[:-1]), NOW_MS))
        before = freeze_desk(desk)
        if is_rehearsed:
            rehearsal = Rehearsal(desk, after_ms=NOW_MS - 1)
            for _ in range(60):
                assert rehearsal.again(), "it asks how the market stands, as each decision does"
            assert freeze_desk(desk) == before
        item = Input(FrameKind.FEED, row_payload(rows[-1]), NOW_MS + MINUTE_MS)
        decided.append(desk.apply(2, item).outputs)
    assert decided[0] == decided[1]
    assert next(kind for kind, _ in decided[0]) is FrameKind.DECISION
