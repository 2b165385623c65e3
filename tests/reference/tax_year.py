"""A person's tax year worked out from what the kernel did, in plain fractions and no engine code.

First in, first out. A swap is valued by what is received; a fee in the coin received leaves its
cost on the rest, any other fee lowers the gain and is a disposal of the fee coin. Money of
contracts is income or deduction, and the coin it comes in a parcel, the coin it takes a disposal.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from openalpha.core.messages import CashEffect, EffectKind, Fill
from tests.reference.tax_lots import is_long

SYDNEY = ZoneInfo("Australia/Sydney")
ZERO = Fraction(0)
AudOf = Callable[[str, int], Fraction]


def local_day(ts_ms: int) -> date:
    return datetime.fromtimestamp(ts_ms / 1000, UTC).astimezone(SYDNEY).date()


def year_of(ts_ms: int) -> int:
    day = local_day(ts_ms)
    return day.year + (day.month >= 7)


@dataclass
class PlainTax:
    """Lots of each coin as [day, quantity, cost], and what each year brought."""

    aud: AudOf
    lots: dict[str, list[list[Any]]] = field(default_factory=lambda: defaultdict(list))
    short: dict[int, list[Fraction]] = field(default_factory=lambda: defaultdict(list))
    long: dict[int, list[Fraction]] = field(default_factory=lambda: defaultdict(list))
    income: dict[int, Fraction] = field(default_factory=lambda: defaultdict(Fraction))
    deductions: dict[int, Fraction] = field(default_factory=lambda: defaultdict(Fraction))

    def buy(self, coin: str, qty: Fraction, cost: Fraction, ts_ms: int) -> None:
        self.lots[coin].append([local_day(ts_ms), qty, cost])

    def sell(self, coin: str, qty: Fraction, net: Fraction, ts_ms: int) -> None:
        wanted = qty
        while wanted:
            lot = self.lots[coin][0]
            part = min(wanted, lot[1])
            cost = lot[2] * part / lot[1]
            gain = net * part / qty - cost
            held = is_long(lot[0], local_day(ts_ms))
            (self.long if held else self.short)[year_of(ts_ms)].append(gain)
            lot[1] -= part
            lot[2] -= cost
            wanted -= part
            if not lot[1]:
                self.lots[coin].pop(0)

    def money(self, coin: str, amount: Fraction, ts_ms: int) -> None:
        worth = amount * self.aud(coin, ts_ms)
        if amount > 0:
            self.income[year_of(ts_ms)] += worth
            self.buy(coin, amount, worth, ts_ms)
        elif amount < 0:
            self.deductions[year_of(ts_ms)] -= worth
            self.sell(coin, -amount, -worth, ts_ms)

    def swap(self, fill: Fill, effects: list[CashEffect]) -> None:
        moved = {e.coin: Fraction(e.amount) for e in effects if e.kind == EffectKind.TRADE}
        fee = -sum((Fraction(e.amount) for e in effects if e.kind == EffectKind.FEE), ZERO)
        (got, gained) = next((c, a) for c, a in moved.items() if a > 0)
        (gave, given) = next((c, -a) for c, a in moved.items() if a < 0)
        worth, ts_ms = gained * self.aud(got, fill.ts_ms), fill.ts_ms
        if fill.fee_coin == got:
            self.sell(gave, given, worth, ts_ms)
            self.buy(got, gained - fee, worth, ts_ms)
            return
        fee_worth = fee * self.aud(fill.fee_coin, ts_ms)
        self.sell(gave, given, worth - fee_worth, ts_ms)
        if fee:
            self.sell(fill.fee_coin, fee, fee_worth, ts_ms)
        self.buy(got, gained, worth, ts_ms)

    def run(self, fills: list[Fill], effects: list[CashEffect], spots: set[str]) -> None:
        """Go through a run's effects in the order the kernel made them."""
        by_fill: dict[int, list[CashEffect]] = defaultdict(list)
        for effect in effects:
            if effect.fill_seq is not None:
                by_fill[effect.fill_seq].append(effect)
        known = {fill.seq: fill for fill in fills}
        done: set[int] = set()
        for effect in effects:
            fill = known.get(effect.fill_seq) if effect.fill_seq is not None else None
            if fill is None or fill.instrument not in spots:
                self.money(effect.coin, Fraction(effect.amount), effect.ts_ms)
            elif fill.seq not in done:
                done.add(fill.seq)
                self.swap(fill, by_fill[fill.seq])

    def net_gain(self, year: int, brought: Fraction = ZERO) -> tuple[Fraction, Fraction]:
        """Return the net capital gain of a year and the loss it leaves: losses first, then half."""
        rows = [*self.short[year], *self.long[year]]
        loss = brought - sum((g for g in rows if g < 0), ZERO)
        short = sum((g for g in self.short[year] if g > 0), ZERO)
        long = sum((g for g in self.long[year] if g > 0), ZERO)
        from_short = min(loss, short)
        from_long = min(loss - from_short, long)
        net = short - from_short + (long - from_long) / 2
        return net, loss - from_short - from_long
