"""Runs a case on the compiled kernel and says what came of it in the words of the reference."""

import numpy as np

from openalpha.core.messages import EffectKind
from openalpha.core.orders import OrderStatus, Role
from openalpha.core.reasons import Reason
from openalpha.venue.kernel import layout as at
from openalpha.venue.kernel.layout import I64
from openalpha.venue.kernel.machine import Machine
from openalpha.venue.kernel.setup import (
    AccountSetup,
    InstrumentSetup,
    OrderRequest,
    Tier,
    make_market,
)
from tests.reference.scenario import (
    Amend,
    Cancel,
    Case,
    Command,
    EffectRow,
    FillRow,
    InstrumentCase,
    Mark,
    New,
    OrderRow,
    Outcome,
    PositionRow,
    Series,
)


def run(case: Case, *, skip: bool = True) -> Outcome:
    """Run a case on the kernel; `skip` off leads it through every bar."""
    machine = make_machine(case, skip=skip)
    length = case.market.timeframe_ms
    _give_commands(machine, case, -1, case.market.ts_ms[0])
    for bar, open_ms in enumerate(case.market.ts_ms):
        machine.run(bar + 1)
        _give_commands(machine, case, bar, open_ms + length)
    return _outcome(machine, case)


def make_machine(case: Case, *, skip: bool = True) -> Machine:
    """Make a machine that stands before the first bar of a case."""
    marks = [s.mark for s in case.market.series if s.mark is not None]
    indexes = [s.index for s in case.market.series if s.index is not None]
    market, spans = make_market(
        np.array(case.market.ts_ms, dtype=np.int64),
        np.array([_bars(s) for s in case.market.series], dtype=np.int64),
        mark=_filled(marks),
        index=_filled(indexes),
        funding=[_funding(s) for s in case.market.series],
    )
    account = AccountSetup(
        case.account.balances,
        int(case.account.margin_mode),
        int(case.account.position_mode),
        at.NEARER_FIRST if case.path == "nearer_first" else at.ADVERSE,
        case.latency_ms,
    )
    return Machine(
        tuple(_setup(rules) for rules in case.instruments),
        account,
        market,
        spans,
        case.market.timeframe_ms,
        skip=skip,
        mark_rows=_rows([s.mark is not None for s in case.market.series]),
        index_rows=_rows([s.index is not None for s in case.market.series]),
    )


def _rows(present: list[bool]) -> tuple[int, ...]:
    return tuple(sum(present[:k]) if has else -1 for k, has in enumerate(present))


def _bars(series: Series) -> list[tuple[int, int, int, int, int]]:
    """Absent bars repeat the last close, with volume -1."""
    last, found = 0, []
    for row in series.bars:
        found.append((last, last, last, last, at.ABSENT) if row is None else row)
        last = found[-1][3]
    return found


def _filled(many: list[tuple[Mark | None, ...]]) -> I64 | None:
    if not many:
        return None
    rows = []
    for series in many:
        last: Mark = (1, 1, 1, 1)
        filled = []
        for row in series:
            last = (last[3],) * 4 if row is None else row
            filled.append(last)
        rows.append(filled)
    return np.array(rows, dtype=np.int64)


def _funding(series: Series) -> tuple[I64, I64]:
    stamps = np.array([stamp for stamp, _ in series.funding], dtype=np.int64)
    return stamps, np.array([rate for _, rate in series.funding], dtype=np.int64)


def _setup(rules: InstrumentCase) -> InstrumentSetup:
    return InstrumentSetup(
        kind=int(rules.kind),
        num=rules.num,
        den=rules.den,
        k=rules.k_inverse,
        base_coin=rules.base_coin,
        steps=tuple((s.since_ms, s.tick_price_units, s.lot_qty_units) for s in rules.steps),
        min_qty=rules.min_qty,
        max_qty=rules.max_qty,
        max_market_qty=rules.max_market_qty,
        min_notional=rules.min_notional,
        maker_e8=rules.maker_e8,
        taker_e8=rules.taker_e8,
        leverage_e2=rules.leverage_e2,
        max_leverage_e2=rules.max_leverage_e2,
        half_spread_e8=rules.half_spread_e8,
        impact_e8=rules.impact_e8,
        participation_e6=rules.participation_e6,
        collateral_e4=rules.collateral_e4,
        tiers=tuple(Tier(*tier) for tier in rules.tiers),
    )


def _give_commands(machine: Machine, case: Case, bar: int, ts_ms: int) -> None:
    for command in case.commands:
        if command.after_bar == bar:
            _give(machine, command, ts_ms)


def _give(machine: Machine, command: Command, ts_ms: int) -> None:
    if isinstance(command, New):
        machine.submit(command.instrument, ts_ms, _request(command))
        return
    where = _instrument_of(machine, command.order_id)
    if isinstance(command, Cancel):
        machine.cancel(where, ts_ms, command.order_id, why=command.reason)
        return
    assert isinstance(command, Amend)
    machine.amend(
        where,
        ts_ms,
        command.order_id,
        qty=command.qty,
        limit=command.limit,
        trigger=command.trigger,
    )


def _instrument_of(machine: Machine, order_id: int) -> int:
    for number in range(len(machine.instruments)):
        if order_id in machine.live_orders(number)[:, at.O_ID]:
            return number
    return 0


def _request(new: New) -> OrderRequest:
    return OrderRequest(
        side=int(new.side),
        qty=new.qty,
        order_type=int(new.order_type),
        limit=new.limit,
        tif=int(new.time_in_force),
        trigger_kind=int(new.trigger_kind),
        trigger_by=int(new.trigger_by),
        trigger=new.trigger,
        reduce_only=new.is_reduce_only,
        leg=new.leg,
        oco=new.oco_group,
        activation=new.activation,
        distance=new.distance,
        stop_e6=new.exits.stop_e6,
        take_profit_e6=new.exits.take_profit_e6,
        trailing_e6=new.exits.trailing_e6,
        activation_e6=new.exits.activation_e6,
        time_exit_ms=new.exits.time_exit_ms,
    )


def _outcome(machine: Machine, case: Case) -> Outcome:
    n = len(case.instruments)
    return Outcome(
        fills=[_fill(row) for row in machine.fills],
        effects=[
            EffectRow(
                int(row[at.E_TS]),
                int(row[at.E_COIN]),
                EffectKind(int(row[at.E_KIND])),
                int(row[at.E_AMOUNT]),
                int(row[at.E_INST]),
            )
            for row in machine.effects
        ],
        orders=_orders(machine, n),
        balances=tuple(machine.balances()),
        positions={
            (i, leg): PositionRow(*machine.position(i, leg)) for i in range(n) for leg in (0, 1)
        },
    )


def _fill(row: I64) -> FillRow:
    return FillRow(
        ts_ms=int(row[at.F_TS]),
        instrument=int(row[at.F_INST]),
        leg=int(row[at.F_LEG]),
        order_id=max(0, int(row[at.F_ORDER])),
        qty=int(row[at.F_QTY]),
        price=int(row[at.F_PRICE]),
        role=Role(int(row[at.F_ROLE])),
        fee=-int(row[at.F_FEE]),
        fee_coin=int(row[at.F_FEE_COIN]),
        realised=int(row[at.F_REALISED]),
        reason=Reason(int(row[at.F_REASON])),
    )


def _orders(machine: Machine, n: int) -> dict[int, OrderRow]:
    found = {}
    for row in machine.done:
        status = OrderStatus(int(row[at.D_STATUS]))
        reason = Reason(int(row[at.D_REASON]))
        if status is OrderStatus.FILLED:
            reason = Reason.NONE
        found[int(row[at.D_ID])] = OrderRow(status, reason, int(row[at.D_FILLED]))
    for number in range(n):
        for row in machine.live_orders(number):
            status = OrderStatus(int(row[at.O_STATUS]))
            found[int(row[at.O_ID])] = OrderRow(status, Reason.NONE, int(row[at.O_FILLED]))
    return dict(sorted(found.items()))
