"""One account at the price-time book, spoken to as the account of a bar run is."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, cast

from openalpha.core.instruments import Instrument, Kind
from openalpha.core.reasons import Reason
from openalpha.core.units import to_units
from openalpha.engine.rows import KernelAccount, blank_history
from openalpha.engine.run import VenueSettings, account_coins
from openalpha.engine.tables import Units
from openalpha.venue.kernel import drive
from openalpha.venue.kernel.exchange import BookMachine
from openalpha.venue.kernel.layout import I64
from openalpha.venue.kernel.machine import Machine
from openalpha.venue.rules import account_setup, cash_decimals, instrument_setup

__all__ = ["BookAccount", "book_account"]


class _Desk:
    """The account, with the words of `Machine`; it is always led to the present."""

    row = 2**62

    def __init__(self, venue: BookMachine, timeframe_ms: int) -> None:
        self.venue, self.timeframe_ms = venue, timeframe_ms
        self.instruments, self.account = venue.instruments, venue.accounts[0]

    @property
    def arena(self) -> I64:
        return self.venue.arena

    @property
    def fills(self) -> I64:
        return self.venue.fills

    @property
    def effects(self) -> I64:
        return self.venue.effects

    @property
    def done(self) -> I64:
        return self.venue.done

    def submit(self, *order: Any) -> int:
        return self.venue.submit(*order)

    def cancel(self, *which: int, why: int = Reason.CANCELLED_BY_USER) -> bool:
        # The account is the only one there: every order is its own.
        number, ts_ms, order_id = which
        return bool(drive.request_cancel(self.venue.arena, number, ts_ms, order_id, int(why)))

    def amend(self, *which: int, **terms: int) -> bool:
        return self.venue.amend(0, *which, **terms)

    def transfer(self, *what: int) -> None:
        self.venue.transfer(0, *what)

    def live_orders(self, number: int) -> I64:
        return self.venue.live_orders(number)

    def position(self, number: int, leg: int = 0) -> tuple[int, int, int]:
        return self.venue.position(0, number, leg)

    def balances(self) -> list[int]:
        return self.venue.balances(0)

    def equity(self) -> int:
        return self.venue.equity(0)


class BookAccount(KernelAccount):
    """A kernel account that is led message by message.

    Attributes
    ----------
    venue : BookMachine
    half_spread_e8 : int
        Half the spread the settings charge, of the price; the book itself has another.
    """

    def __init__(
        self, venue: BookMachine, units: Units, *, timeframe_ms: int, half_spread_e8: int
    ) -> None:
        blank = [
            blank_history(item, timeframe_ms, has_mark=False, has_index=False)
            for item in units.instruments
        ]
        super().__init__(cast(Machine, _Desk(venue, timeframe_ms)), units, blank)
        self.venue, self.half_spread_e8 = venue, half_spread_e8


def book_account(
    instrument: Instrument, *, timeframe_ms: int, capital: Decimal, settings: VenueSettings
) -> BookAccount:
    """Open an account that trades one instrument in a book of its own.

    Parameters
    ----------
    instrument : Instrument
        With the decimals its messages will have.
    timeframe_ms : int
        Of the bars its strategy sees.
    capital : Decimal
        Starting balance in the account currency.
    """
    coins: Sequence[str] = account_coins([instrument])
    cash = cash_decimals(capital, [instrument])
    is_spot = instrument.kind is Kind.SPOT
    setup = instrument_setup(
        instrument,
        costs=settings.costs,
        margin=settings.margin,
        cash=cash,
        base_coin=int(is_spot),
    )
    balances = (to_units(capital, cash), *(0 for _ in coins[1:]))
    account = account_setup(
        balances, costs=settings.costs, margin=settings.margin, fills=settings.fills
    )
    decimals = (cash, *(instrument.qty_decimals for _ in coins[1:]))
    return BookAccount(
        BookMachine((setup,), (account,)),
        Units((instrument,), tuple(coins), decimals),
        timeframe_ms=timeframe_ms,
        half_spread_e8=setup.half_spread_e8,
    )
