"""The decision step on an account that is elsewhere: the kernel is told what is held, and asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from openalpha.core.instruments import Kind
from openalpha.core.units import from_units, to_units
from openalpha.engine.rows import Commanded, Row
from openalpha.engine.step import SignalStep
from openalpha.venue.kernel import drive
from openalpha.venue.kernel import layout as at

__all__ = ["Decided", "HeldNow", "MirrorStep"]


@dataclass(frozen=True, slots=True)
class HeldNow:
    """What an account holds of an instrument: signed quantity, and what it cost."""

    qty: Decimal
    entry_price: Decimal


@dataclass(frozen=True, slots=True)
class Decided:
    """What was decided at a row's close.

    Parameters
    ----------
    equity : Decimal
        Cash and open profit at the row's close.
    codes : tuple of int
        Reason code of each instrument.
    commanded : Commanded
        Orders to be made; cancels are those of the strategy's own unfilled entries.
    """

    equity: Decimal
    codes: tuple[int, ...]
    commanded: Commanded


class MirrorStep:
    """Decides as the compiled pass does, for an account at a venue.

    Before each decision the kernel's account is set to what the venue's account is; what it orders
    is read and taken back. It never fills anything itself.

    Parameters
    ----------
    step : SignalStep
        Fresh; of spot and linear instruments.
    """

    def __init__(self, step: SignalStep) -> None:
        self.step = step
        kinds = {item.kind for item in step.account.units.instruments}
        assert Kind.INVERSE not in kinds, "refused before a run begins"

    def decide(
        self,
        row: Row,
        targets_e6: Sequence[int],
        *,
        sizes_e6: Sequence[int] = (),
        cash: Decimal,
        held: Sequence[HeldNow],
    ) -> Decided:
        """Decide at the close of a row.

        Parameters
        ----------
        cash : Decimal
            Of the account currency.
        held : sequence of HeldNow
            One an instrument.
        """
        account = self.step.account
        self._tell(cash, held)
        plain = Row(row.ts_ms, row.bars, row.mark, row.index)
        stepped = self.step.lead(plain, targets_e6, sizes_e6=sizes_e6)
        self._take_back()
        decimals = account.units.coin_decimals[0]
        return Decided(
            from_units(round(stepped.equity), decimals), stepped.codes, stepped.commanded
        )

    def rescale(self, before: Decimal, after: Decimal) -> None:
        """Take in that money was moved: equity was `before`, and is `after`, at one moment."""
        decimals = self.step.account.units.coin_decimals[0]
        self.step.rescale(_units(before, decimals), _units(after, decimals))

    def _tell(self, cash: Decimal, held: Sequence[HeldNow]) -> None:
        machine, units = self.step.account.machine, self.step.account.units
        arena = machine.arena
        account = int(arena[at.H_ACCTS_AT])
        decimals = units.coin_decimals[0]
        arena[account + at.AC_BALANCES] = _units(cash, decimals)
        legs = account + int(arena[account + at.AC_LEGS_AT])
        for number, (now, setup, instrument) in enumerate(
            zip(held, machine.instruments, units.instruments, strict=True)
        ):
            leg = legs + 2 * number * at.LEG_COLS
            price = _units(now.entry_price * 10, instrument.price_decimals)
            if instrument.kind is Kind.SPOT:
                # A fee in coins may leave less than a unit over: that cannot be ordered away.
                qty = int(now.qty.scaleb(instrument.qty_decimals))
                arena[account + at.AC_BALANCES + setup.base_coin] = qty
            else:
                qty = to_units(now.qty, instrument.qty_decimals)
            arena[leg + at.P_QTY] = qty
            arena[leg + at.P_COST] = round(qty * price * setup.num / (setup.den * 10))
        drive.watch(arena, machine.market.funding_ts)

    def _take_back(self) -> None:
        """Clear every order slot: what was ordered is the venue's to fill."""
        machine = self.step.account.machine
        arena = machine.arena
        slots, per = int(arena[at.H_SLOTS]), at.ORDER_COLS
        for number in range(len(machine.instruments)):
            block = at.HEAD_COLS + number * at.INST_COLS
            first = int(arena[block + at.I_ORDERS_AT])
            arena[first : first + slots * per] = 0
            arena[block + at.I_N_ORDERS] = 0


def _units(value: Decimal, decimals: int) -> int:
    """Return the nearest whole number of units."""
    return int(value.scaleb(decimals).to_integral_value())
