"""The venue's own statement of the account: every change of money, exact, each taken once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from openalpha.core.instruments import InstrumentId
from openalpha.core.messages import CashEffect, EffectKind
from openalpha.trading.orders.record import instrument_of
from openalpha.trading.orders.side import Incident, VenueEvent
from openalpha.venue.bybit.rows import LogRow

__all__ = ["Statement", "effects_of"]

_OVERLAP_MS = 60_000
_KEPT_MS = 3_600_000
_KINDS = {
    "TRANSFER_IN": EffectKind.TRANSFER,
    "TRANSFER_OUT": EffectKind.TRANSFER,
    "AIRDROP": EffectKind.REWARD,
    "BONUS": EffectKind.REWARD,
    "INTEREST": EffectKind.INTEREST,
}


@dataclass(slots=True)
class Statement:
    """What was taken from the statement so far, and the balances that follow from it.

    `opening` holds the balances before the first row taken; a coin without any row yet opens with
    what its first row started from. `told_ms` is the venue's time of the last answer, `since_ms`
    from when on it is asked for next.
    """

    since_ms: int = 0
    told_ms: int = 0
    opening: dict[str, Decimal] = field(default_factory=dict)
    balances: dict[str, Decimal] = field(default_factory=dict)
    ids: dict[str, int] = field(default_factory=dict)
    count: int = 0

    def begin(self, rows: Sequence[LogRow], *, asked_ms: int) -> None:
        """Begin after rows (oldest first) that were there before: their money was there, too."""
        self.ids = {row.id: row.ts_ms for row in rows}
        self.opening = {row.coin: row.balance for row in rows}
        self.balances = dict(self.opening)
        newest = max((row.ts_ms for row in rows), default=asked_ms)
        oldest = min((row.ts_ms for row in rows), default=0)
        self.since_ms = max(oldest, newest - _OVERLAP_MS)

    def take(self, rows: Sequence[LogRow], *, asked_ms: int, now_ms: int) -> list[VenueEvent]:
        """Take in rows, oldest first; returns the effects of those not taken before.

        The venue states the balance after each row: where ours is another, a row is missing.
        """
        events: list[VenueEvent] = []
        for row in rows:
            if row.id in self.ids or row.ts_ms < self.since_ms - _KEPT_MS:
                continue
            self.ids[row.id] = row.ts_ms
            for kind, amount in effects_of(row):
                events.append(self._effect(row, kind, amount))
            if row.coin not in self.balances:
                self.opening[row.coin] = self.balances[row.coin] = row.balance - row.change
            self.balances[row.coin] += row.change
            if self.balances[row.coin] != row.balance:
                words = (
                    f"the balance of {row.coin} is {row.balance} by the venue and "
                    f"{self.balances[row.coin]} by its own statement, at row {row.id}"
                )
                events.append(Incident("balance_differs", words, now_ms))
                self.balances[row.coin] = row.balance
        self.told_ms = max(self.told_ms, asked_ms)
        self.since_ms = max(self.since_ms, asked_ms - _OVERLAP_MS)
        # An answer to an older question may still come, with rows of before.
        kept_ms = self.since_ms - _KEPT_MS
        self.ids = {name: ts for name, ts in self.ids.items() if ts >= kept_ms}
        return events

    def _effect(self, row: LogRow, kind: EffectKind, amount: Decimal) -> CashEffect:
        effect = CashEffect(
            seq=self.count,
            ts_ms=row.ts_ms,
            account=0,
            coin=row.coin,
            amount=amount,
            kind=kind,
            instrument=(
                InstrumentId(instrument_of(row.category, row.symbol)) if row.symbol else None
            ),
            fill_seq=None,
        )
        self.count += 1
        return effect


def effects_of(row: LogRow) -> Iterable[tuple[EffectKind, Decimal]]:
    """Split a row into effects whose sum is exactly its change.

    A trade's row holds what the trade moved and its fee; a settlement's holds funding. What is
    left over, should the venue ever state more than these, is an adjustment.
    """
    main = _KINDS.get(row.kind, EffectKind.ADJUSTMENT)
    parts: list[tuple[EffectKind, Decimal]] = []
    if row.kind == "SETTLEMENT":
        parts = [(EffectKind.FUNDING, row.change)]
    elif row.kind in ("TRADE", "LIQUIDATION", "ADL", "DELIVERY"):
        is_spot = row.category == "spot"
        moved = EffectKind.TRADE if is_spot else EffectKind.REALISED_PNL
        fee = EffectKind.LIQUIDATION_FEE if row.kind == "LIQUIDATION" else EffectKind.FEE
        parts = [(moved, row.cash_flow), (fee, -row.fee)]
        parts.append((EffectKind.ADJUSTMENT, row.change - row.cash_flow + row.fee))
    else:
        parts = [(main, row.change)]
    return [(kind, amount) for kind, amount in parts if amount]
