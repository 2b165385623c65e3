"""Names of a decision plan's columns: how targets become orders. One row an instrument."""

NO_TARGET = -(2**31)
"""A target that says nothing: the position is kept."""

ALL_IN, FRACTION, AMOUNT, VARYING = 0, 1, 2, 3
ON_CHANGE, EVERY_BAR, IN_BAND = 0, 1, 2

# sizing and orders
(
    PL_KIND,
    PL_FRACTION_E6,
    PL_AMOUNT,
    PL_LEVERAGE_E2,
    PL_RESERVE_E8,
    PL_REBALANCE,
    PL_BAND_E6,
    PL_STOP_E6,
    PL_TAKE_PROFIT_E6,
    PL_TRAILING_E6,
    PL_ACTIVATION_E6,
    PL_TIME_EXIT_MS,
) = range(12)
# limits of the live profile; 0 is off
PL_MAX_POSITION_E6, PL_MIN_ORDER, PL_MAX_ORDER, PL_MAX_TRADES, PL_DAILY_LOSS_E6, PL_DRAWDOWN_E6 = (
    range(12, 18)
)
# state of the step
PL_LAST_TARGET = 18
# whether limits hold, and their state: the account's, kept in row 0 for all its instruments
PL_IS_LIVE, PL_DAY, PL_DAY_EQUITY, PL_PEAK_EQUITY, PL_LAST_EQUITY, PL_TRADES, PL_HALTED = range(
    19, 26
)
PL_DAY_LOST = 28
# which of the wishes' turns are the instrument's: the next one to look at, and the end
PL_TURN, PL_TURN_END = 26, 27
PLAN_COLS = 29
