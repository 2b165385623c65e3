"""The kernel's memory: one int64 array, built from a setup and enlarged when it fills."""

from collections.abc import Sequence

import numpy as np

from openalpha.venue.kernel import layout as at
from openalpha.venue.kernel.layout import I64
from openalpha.venue.kernel.setup import AccountSetup, InstrumentSetup

__all__ = [
    "build_arena",
    "check_sound",
    "enlarged",
    "orders_of",
    "rows_of",
    "with_account",
    "with_room",
]

FIRST_ROWS = 4096
FIRST_SLOTS = 16
LOGS = (
    (at.H_FILLS_AT, at.H_FILLS_CAP, at.H_N_FILLS, at.FILL_COLS),
    (at.H_EFFECTS_AT, at.H_EFFECTS_CAP, at.H_N_EFFECTS, at.EFFECT_COLS),
    (at.H_DONE_AT, at.H_DONE_CAP, at.H_N_DONE, at.DONE_COLS),
)
FILLS, EFFECTS, DONE = range(3)


def build_arena(
    instruments: Sequence[InstrumentSetup],
    accounts: Sequence[AccountSetup],
    timeframe_ms: int,
    *,
    levels: int = 0,
) -> I64:
    """Make the memory of a kernel.

    Parameters
    ----------
    instruments : sequence of InstrumentSetup
    accounts : sequence of AccountSetup
        All with as many balances as there are coins, or fewer (the rest are 0). Path and latency of
        the first are the kernel's.
    timeframe_ms : int
        Length of a bar.
    levels : int
        Room for price levels a side in each instrument's book; 0 on the bar path.

    Returns
    -------
    int64[n]
    """
    n, n_accounts = len(instruments), len(accounts)
    coins = 1 + max(setup.base_coin for setup in instruments)
    coins = max(coins, *(len(account.balances) for account in accounts))
    tiers_at = at.HEAD_COLS + n * at.INST_COLS
    steps_at = tiers_at + at.TIER_COLS * sum(len(setup.tiers) for setup in instruments)
    accounts_at = steps_at + at.STEP_COLS * sum(len(setup.steps) for setup in instruments)
    legs_at = at.AC_BALANCES + coins
    size = legs_at + 2 * n * at.LEG_COLS
    m = np.zeros(accounts_at + n_accounts * size, dtype=np.int64)
    m[at.H_N_INST], m[at.H_N_ACCTS], m[at.H_N_COINS] = n, n_accounts, coins
    m[at.H_ACCTS_AT], m[at.H_ACCT_SIZE] = accounts_at, size
    m[at.H_TIMEFRAME_MS] = timeframe_ms
    m[at.H_PATH], m[at.H_LATENCY_MS] = accounts[0].path, accounts[0].latency_ms
    m[at.H_DIRTY] = m[at.H_SKIP] = 1
    for number, setup in enumerate(instruments):
        tiers_at, steps_at = _write_instrument(m, number, setup, tiers_at, steps_at)
    for number, account in enumerate(accounts):
        _write_account(m, number, account, instruments, legs_at)
    rows = (FIRST_ROWS, 3 * FIRST_ROWS, 2 * FIRST_ROWS)
    return _with_logs(m, m.shape[0], slots=FIRST_SLOTS, rows=rows, levels=levels)


def _write_instrument(
    m: I64, number: int, setup: InstrumentSetup, tiers_at: int, steps_at: int
) -> tuple[int, int]:
    """Copy an instrument's rules into its block; returns where the next tiers and steps lie."""
    row = m[at.HEAD_COLS + number * at.INST_COLS :][: at.INST_COLS]
    row[at.I_NUMBER], row[at.I_KIND], row[at.I_BASE_COIN] = number, setup.kind, setup.base_coin
    row[at.I_NUM], row[at.I_DEN], row[at.I_K] = setup.num, setup.den, setup.k
    row[at.I_TICK], row[at.I_LOT] = setup.steps[0][1], setup.steps[0][2]
    row[at.I_MIN_QTY], row[at.I_MAX_QTY] = setup.min_qty, setup.max_qty
    row[at.I_MAX_MARKET_QTY] = setup.max_market_qty
    row[at.I_MIN_NOTIONAL] = setup.min_notional
    row[at.I_HALF_SPREAD_E8], row[at.I_IMPACT_E8] = setup.half_spread_e8, setup.impact_e8
    row[at.I_PARTICIPATION_E6] = setup.participation_e6
    row[at.I_COLLATERAL_E4] = setup.collateral_e4
    row[at.I_MAX_LEVERAGE_E2] = setup.max_leverage_e2
    row[at.I_N_TIERS], row[at.I_N_STEPS] = len(setup.tiers), len(setup.steps)
    row[at.I_TIERS_AT], row[at.I_STEPS_AT] = tiers_at, steps_at
    row[at.I_MARK_ROW] = row[at.I_INDEX_ROW] = -1
    row[at.I_NEXT_TS] = -at.BIG
    row[at.I_GUARD_LO], row[at.I_GUARD_HI] = -at.BIG, at.BIG
    for tier in setup.tiers:
        m[tiers_at : tiers_at + at.TIER_COLS] = (
            tier.limit,
            tier.maintenance_e8,
            tier.max_leverage_e2,
            tier.deduction,
        )
        tiers_at += at.TIER_COLS
    for step in setup.steps:
        m[steps_at : steps_at + 3] = step
        steps_at += at.STEP_COLS
    return tiers_at, steps_at


def _write_account(
    m: I64, number: int, account: AccountSetup, instruments: Sequence[InstrumentSetup], legs_at: int
) -> None:
    """Write an account's modes, balances and, in each leg, its terms on the instrument."""
    a = int(m[at.H_ACCTS_AT] + number * m[at.H_ACCT_SIZE])
    m[a + at.AC_MARGIN_MODE], m[a + at.AC_POSITION_MODE] = (
        account.margin_mode,
        account.position_mode,
    )
    m[a + at.AC_NUMBER], m[a + at.AC_LEGS_AT] = number, legs_at
    for coin, amount in enumerate(account.balances):
        m[a + at.AC_BALANCES + coin] = amount
    for i, setup in enumerate(instruments):
        for leg in range(2):
            p = a + legs_at + (2 * i + leg) * at.LEG_COLS
            m[p + at.P_ACCT], m[p + at.P_LEG] = number, leg
            m[p + at.P_MAKER_E8], m[p + at.P_TAKER_E8] = setup.maker_e8, setup.taker_e8
            m[p + at.P_LEVERAGE_E2] = setup.leverage_e2
        if setup.kind == at.SPOT:
            leg_0 = a + legs_at + 2 * i * at.LEG_COLS
            m[leg_0 + at.P_QTY] = m[a + at.AC_BALANCES + setup.base_coin]


def with_account(m: I64, account: AccountSetup, instruments: Sequence[InstrumentSetup]) -> I64:
    """Return a copy of the memory with one account more, behind the others.

    Parameters
    ----------
    account : AccountSetup
        With as many balances as there are coins, or fewer.
    instruments : sequence of InstrumentSetup
        Those the memory was built with: they carry the account's terms.
    """
    fixed, size = _fixed(m), int(m[at.H_ACCT_SIZE])
    bigger = np.concatenate((m[:fixed], np.zeros(size, dtype=np.int64), m[fixed:]))
    for place_at, _, _, _ in LOGS:
        bigger[place_at] += size
    blocks = _blocks(bigger)
    blocks[:, at.I_ORDERS_AT] += size
    blocks[:, at.I_BOOK_AT] += size
    bigger[at.H_N_ACCTS] += 1
    legs_at = at.AC_BALANCES + int(m[at.H_N_COINS])
    _write_account(bigger, int(m[at.H_N_ACCTS]), account, instruments, legs_at)
    return bigger


def _with_logs(m: I64, fixed: int, *, slots: int, rows: tuple[int, int, int], levels: int) -> I64:
    """Return a copy with so many order slots an instrument, log rows and levels a side."""
    n = int(m[at.H_N_INST])
    orders_at = fixed
    logs_at = orders_at + n * slots * at.ORDER_COLS
    total = logs_at + sum(count * log[3] for count, log in zip(rows, LOGS, strict=True))
    total += n * 2 * levels * at.LEVEL_COLS
    # The rows of the logs are written whole before they are read: making them costs nothing.
    bigger = np.empty(total, dtype=np.int64)
    bigger[fixed:logs_at] = 0
    bigger[total - n * 2 * levels * at.LEVEL_COLS :] = 0
    bigger[:fixed] = m[:fixed]
    for i in range(n):
        block = at.HEAD_COLS + i * at.INST_COLS
        place = orders_at + i * slots * at.ORDER_COLS
        used = int(m[block + at.I_N_ORDERS]) * at.ORDER_COLS
        old = int(m[block + at.I_ORDERS_AT])
        bigger[place : place + used] = m[old : old + used]
        bigger[block + at.I_ORDERS_AT] = place
    bigger[at.H_SLOTS] = slots
    for count, (place_at, cap_at, used_at, columns) in zip(rows, LOGS, strict=True):
        old, used = int(m[place_at]), int(m[used_at]) * columns
        bigger[logs_at : logs_at + used] = m[old : old + used]
        bigger[place_at], bigger[cap_at] = logs_at, count
        logs_at += count * columns
    _copy_levels(m, bigger, logs_at, levels)
    return bigger


def _copy_levels(m: I64, bigger: I64, place: int, levels: int) -> None:
    """Move both sides of each instrument's book to their new places."""
    old_levels = int(m[at.H_LEVELS])
    for i in range(int(m[at.H_N_INST])):
        block = at.HEAD_COLS + i * at.INST_COLS
        old = int(m[block + at.I_BOOK_AT])
        bigger[block + at.I_BOOK_AT] = place
        for count_at in (at.I_N_BIDS, at.I_N_ASKS):
            used = int(m[block + count_at]) * at.LEVEL_COLS
            bigger[place : place + used] = m[old : old + used]
            old += old_levels * at.LEVEL_COLS
            place += levels * at.LEVEL_COLS
    bigger[at.H_LEVELS] = levels


def enlarged(m: I64) -> I64:
    """Return the memory with twice the room wherever it is short of it."""
    slots = int(m[at.H_SLOTS])
    if int(_blocks(m)[:, at.I_N_ORDERS].max()) + 8 > slots:
        slots *= 2
    rows = [2 * int(m[cap_at]) for _, cap_at, _, _ in LOGS]
    return _with_logs(
        m, _fixed(m), slots=slots, rows=(rows[0], rows[1], rows[2]), levels=int(m[at.H_LEVELS])
    )


def with_room(m: I64, *, slots: int, rows: int, levels: int) -> I64:
    """Return the memory with room for so many order slots, further log rows and levels, or more.

    Parameters
    ----------
    slots : int
        Order slots an instrument.
    rows : int
        Fills to come; three times as many effects and twice as many ended orders.
    levels : int
        Price levels a side.
    """
    wanted = zip(LOGS, (rows, 3 * rows, 2 * rows), strict=True)
    caps = [
        _doubled(int(m[cap_at]), int(m[used_at]) + more) for (_, cap_at, used_at, _), more in wanted
    ]
    return _with_logs(
        m,
        _fixed(m),
        slots=_doubled(int(m[at.H_SLOTS]), slots),
        rows=(caps[0], caps[1], caps[2]),
        levels=_doubled(int(m[at.H_LEVELS]), levels),
    )


def _doubled(size: int, needed: int) -> int:
    """Return `size`, doubled until it holds what is needed."""
    while size < needed:
        size *= 2
    return size


def _fixed(m: I64) -> int:
    """Return where the part ends whose size never changes."""
    return int(m[at.H_ACCTS_AT] + m[at.H_N_ACCTS] * m[at.H_ACCT_SIZE])


def _blocks(m: I64) -> I64:
    """Return int64[n_inst, INST_COLS], a view of the instruments' blocks."""
    n = int(m[at.H_N_INST])
    return m[at.HEAD_COLS : at.HEAD_COLS + n * at.INST_COLS].reshape(n, at.INST_COLS)


def rows_of(m: I64, log: int) -> I64:
    """Return a view of a log's rows so far: FILLS, EFFECTS or DONE."""
    place_at, _, used_at, columns = LOGS[log]
    used, start = m.item(used_at), m.item(place_at)
    return m[start : start + used * columns].reshape(used, columns)


def orders_of(m: I64, number: int) -> I64:
    """Return a view of an instrument's order slots up to the last one in use."""
    block = at.HEAD_COLS + number * at.INST_COLS
    used, start = m.item(block + at.I_N_ORDERS), m.item(block + at.I_ORDERS_AT)
    return m[start : start + used * at.ORDER_COLS].reshape(used, at.ORDER_COLS)


def check_sound(m: I64) -> None:
    """Stop on what can only be a bug of the kernel: a lost row or a status the table has not."""
    assert m.item(at.H_LOST) == 0, "kernel memory overflowed: a bug"
    assert m.item(at.H_BUG) == 0, "an order made a transition the table does not have: a bug"
