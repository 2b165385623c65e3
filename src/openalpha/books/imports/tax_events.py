"""Turns merged records into the events of the tax engine, each valued in AUD at its time."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal

from openalpha.books.imports.claims import claimed, crossed
from openalpha.books.imports.items import ImportItem, item_of
from openalpha.books.imports.records import Kind, Move, Record
from openalpha.books.imports.settling import WITHOUT_INCOME, settled_event, unearned
from openalpha.books.imports.storing import Settlement
from openalpha.books.imports.symbols import FIAT
from openalpha.books.imports.transfers import Transfer
from openalpha.books.rates import Rate, RateSource
from openalpha.books.tax.events import (
    Acquire,
    CoinFee,
    Derivative,
    Dispose,
    Event,
    Money,
    Moved,
    Swap,
)
from openalpha.core.clock import format_ms

__all__ = ["EventMaker"]

ZERO = Decimal(0)


class EventMaker:
    """Makes events of records and remembers what it could not value.

    Parameters
    ----------
    rates : RateSource
        Values coins in AUD.
    zone : tzinfo
        The taxpayer's: whose days they are.
    settlements : mapping of key to Settlement
    stated : mapping of key to {coin: Rate}
        Records that were valued when they were posted, and at what: only these rates value them.
    rebates : str
        Whether a rebate on a trade lowers its "cost" (raises what it brought) or is "income".
    ended : frozenset of str
        Venues at which a deposit ends ownership: what is there is a claim, an asset of its own.
    """

    def __init__(
        self,
        rates: RateSource,
        *,
        zone: tzinfo,
        settlements: Mapping[str, Settlement],
        stated: Mapping[str, Mapping[str, Rate]] | None = None,
        rebates: str = "cost",
        ended: frozenset[str] = frozenset(),
    ) -> None:
        self.rates = rates
        self.zone = zone
        self.settlements = settlements
        self.stated = stated or {}
        self.rebates = rebates
        self.ended = ended
        self.events: list[Event] = []
        self.items: list[ImportItem] = []
        self.used: dict[tuple[str, int], Rate] = {}
        self.foreign: dict[str, Record] = {}

    def record(self, record: Record) -> None:
        """Make the events of a record that explains itself."""
        if record.kind is Kind.TRADE:
            self._trade(record)
        elif record.kind is Kind.CONTRACT:
            self._contract(record)
        elif record.kind is Kind.INCOME:
            self._income(record, record.label)
        elif record.moves and record.kind in (Kind.DEPOSIT, Kind.WITHDRAWAL):
            self._note_foreign(record, record.moves[0].coin)

    def transfer(self, transfer: Transfer) -> None:
        """Make the event of coins that moved between own wallets."""
        out, into = transfer
        coin = out.moves[0].coin
        if coin in FIAT:
            self._note_foreign(out, coin)
            return
        if out.venue != into.venue and self.ended & {out.venue, into.venue}:
            self._cross(out, into, left=transfer.left, arrived=transfer.arrived)
            return
        lost = transfer.left - transfer.arrived
        self._add(
            out,
            Moved(
                out.key,
                self._day(out),
                coin,
                transfer.left,
                transfer.arrived,
                self._value(Move(coin, lost), out) if lost else None,
                source=out.wallet,
                target=into.wallet,
                value=self._worth(Move(coin, transfer.arrived), out),
                ts_ms=out.ts_ms,
            ),
        )

    def _cross(self, out: Record, into: Record, *, left: Decimal, arrived: Decimal) -> None:
        """Make the two events of coins that became a claim on a venue, or of one that ended."""
        coin = out.moves[0].coin
        value = self._value(Move(coin, arrived), out)
        kind, fee = "C2" if out.venue in self.ended else "A1", None
        if arrived < left and kind == "A1":
            fee = CoinFee(coin, left - arrived, self._value(Move(coin, left - arrived), out))
        days, qty = (self._day(out), self._day(into)), (left, arrived)
        gone, got = crossed((out, into), days, qty=qty, value=value, kind=kind, fee=fee)
        self._add(out, gone)
        self._add(into, got)

    def settled(self, record: Record, settlement: Settlement) -> None:
        """Make the events of what a person said a record was."""
        if settlement.way == "own" and record.venue in self.ended:
            self._own(record)
        if settlement.way in ("own", "ignore"):
            return
        for number, move in enumerate(record.moves):
            key = record.key if not number else f"{record.key}.{number}"
            self._settle(record, settlement, key=key, move=move)
        if not record.moves and settlement.aud is not None and settlement.way in ("sell", "lost"):
            # A loss of a contract whose file lacks its entry: money, and no coin.
            self._add(
                record,
                Derivative(
                    record.key,
                    self._day(record),
                    "liquidation",
                    -settlement.aud,
                    record.contract,
                    ts_ms=record.ts_ms,
                ),
            )

    def _own(self, record: Record) -> None:
        """Make the events of coins between a wallet of one's own and a venue that took them."""
        if record.kind not in (Kind.DEPOSIT, Kind.WITHDRAWAL) or record.moves[0].coin in FIAT:
            return
        wallet = replace(record, venue="own", account="wallet")
        qty = abs(record.moves[0].amount)
        is_in = record.moves[0].amount > 0
        out, into = (wallet, record) if is_in else (record, wallet)
        self._cross(out, into, left=qty, arrived=qty)

    def _settle(self, record: Record, settlement: Settlement, *, key: str, move: Move) -> None:
        aud = settlement.aud
        if aud is None and settlement.way not in ("lost", "split"):
            aud = self._value(Move(move.coin, abs(move.amount)), record)
        event = settled_event(
            record, settlement.way, key=key, move=move, day=self._day(record), aud=aud
        )
        if isinstance(event, Dispose):
            event = replace(event, reason=settlement.reason)
        if event is not None:
            self._add(record, event)

    # ---- trades

    def _trade(self, record: Record) -> None:
        got, given = sorted(record.moves, key=lambda move: -move.amount)
        given = Move(given.coin, -given.amount)
        for move in (got, given):
            self._note_foreign(record, move.coin)
        if got.coin not in FIAT and given.coin not in FIAT:
            self._swap(record, got=got, given=given)
            return
        money, coin_fee = self._fees(record)
        key, day = record.key, self._day(record)
        wallet, at = record.wallet, record.ts_ms
        if got.coin in FIAT and given.coin in FIAT:
            return
        if given.coin in FIAT:
            self._add(
                record,
                Acquire(
                    key,
                    day,
                    got.coin,
                    got.amount,
                    self._value(given, record),
                    money,
                    coin_fee=coin_fee,
                    wallet=wallet,
                    ts_ms=at,
                ),
            )
        else:
            self._add(
                record,
                Dispose(
                    key,
                    day,
                    given.coin,
                    given.amount,
                    self._value(got, record),
                    money,
                    lots=() if record.chosen is None else record.chosen.lots,
                    coin_fee=coin_fee,
                    wallet=wallet,
                    ts_ms=at,
                ),
            )

    def _swap(self, record: Record, *, got: Move, given: Move) -> None:
        # What was received, and only where that has no rate what was given (TAX: swaps).
        money, coin_fee = self._fees(record)
        value = self._worth(got, record)
        if value is None:
            value = self._value(given, record)
        self._add(
            record,
            Swap(
                record.key,
                self._day(record),
                given.coin,
                given.amount,
                got.coin,
                got.amount,
                value,
                money,
                coin_fee,
                () if record.chosen is None else record.chosen.lots,
                wallet=record.wallet,
                ts_ms=record.ts_ms,
            ),
        )

    def _fees(self, record: Record) -> tuple[Decimal, CoinFee | None]:
        """Return the fee in AUD and the one in a coin; a rebate lowers the one, or is income."""
        money, coin_fee = ZERO, None
        for number, fee in enumerate(record.fees):
            is_income = fee.amount < 0 and self.rebates == "income"
            if fee.amount < 0 and (is_income or fee.coin not in FIAT):
                key = f"{record.key}.rebate{number}"
                self._receive(record, key, fee, "rebate", is_income=is_income)
            if is_income:
                continue
            if fee.coin in FIAT or fee.amount < 0:
                money += self._value(fee, record) or ZERO
            elif coin_fee is None:
                coin_fee = CoinFee(fee.coin, fee.amount, self._value(fee, record))
            elif coin_fee.asset == fee.coin:
                value = self._value(fee, record)
                both = None if None in (value, coin_fee.value) else value + coin_fee.value  # type: ignore[operator]
                coin_fee = CoinFee(fee.coin, coin_fee.qty + fee.amount, both)
            else:
                value = self._value(fee, record) or ZERO
                money += value
                self._add(
                    record,
                    Dispose(
                        f"{record.key}.fee{number}",
                        self._day(record),
                        fee.coin,
                        fee.amount,
                        value,
                        wallet=record.wallet,
                        ts_ms=record.ts_ms,
                    ),
                )
        return money, coin_fee

    # ---- money

    def _contract(self, record: Record) -> None:
        flows = [(record.label, move) for move in record.moves]
        flows += [("fee", Move(fee.coin, -fee.amount)) for fee in record.fees]
        for number, (kind, move) in enumerate(flows):
            if not move.amount:
                continue
            value = self._value(move, record)
            is_money = move.coin in FIAT
            self._note_foreign(record, move.coin)
            self._add(
                record,
                Derivative(
                    f"{record.key}.{number}",
                    self._day(record),
                    kind if kind != "rebate" else "fee",
                    value if value is not None else ZERO,
                    record.contract,
                    "" if is_money else move.coin,
                    ZERO if is_money else move.amount,
                    record.wallet,
                    record.ts_ms,
                    side=0 if not record.qty else (1 if record.qty > 0 else -1),
                ),
            )

    def _income(self, record: Record, kind: str) -> None:
        for number, move in enumerate(record.moves):
            key = record.key if not number else f"{record.key}.{number}"
            paid = Move(move.coin, -abs(move.amount))
            if kind in WITHOUT_INCOME:
                self._add(record, unearned(record, key=key, move=move, day=self._day(record)))
            else:
                self._receive(record, key, paid, kind)

    def _receive(
        self, record: Record, key: str, paid: Move, kind: str, *, is_income: bool = True
    ) -> None:
        """Make income, or a parcel alone, of a coin received; `paid` is negative, as a fee is."""
        move = Move(paid.coin, -paid.amount)
        if not move.amount:
            return
        value, day = self._value(move, record), self._day(record)
        if move.coin in FIAT:
            self._add(record, Money(key, day, value or ZERO, kind, ts_ms=record.ts_ms))
            return
        self._add(
            record,
            Acquire(
                key,
                day,
                move.coin,
                move.amount,
                value,
                kind=kind,
                income=(value or ZERO) if is_income else ZERO,
                wallet=record.wallet,
                ts_ms=record.ts_ms,
            ),
        )

    # ---- values

    def _add(self, record: Record, event: Event) -> None:
        self.events.append(claimed(event, record.venue) if record.venue in self.ended else event)

    def _value(self, move: Move, record: Record) -> Decimal | None:
        """Return what a move was worth in AUD; where nobody knows, an open item."""
        value = self._worth(move, record)
        if value is not None:
            return value
        key = f"{record.key}/{abs(move.amount).normalize():f}{move.coin}"
        said = self.settlements.get(key)
        at = format_ms(record.ts_ms)
        then = ", then `openalpha ledger value`" if record.key in self.stated else ""
        text = (
            f"no rate says what {abs(move.amount)} {move.coin} was worth in AUD at {at}; import "
            f"one with `openalpha rates import`{then}, or settle it with --aud"
        )
        if all(item.key != key for item in self.items[-4:]):
            item = item_of("missing_rate", record, text=text)
            self.items.append(item._replace(key=key, coin=move.coin, amount=move.amount))
        if said is None or said.aud is None:
            return None
        return said.aud if move.amount > 0 else -said.aud

    def _worth(self, move: Move, record: Record) -> Decimal | None:
        if move.coin == "AUD" or not move.amount:
            return move.amount
        if record.key in self.stated:
            rate = self.stated[record.key].get(move.coin)
        else:
            rate = self.rates.rate(move.coin, "AUD", ts_ms=record.ts_ms)
        if rate is None:
            return None
        self.used[move.coin, record.ts_ms] = rate
        return move.amount * rate.rate

    def _note_foreign(self, record: Record, coin: str) -> None:
        if coin in FIAT and coin != "AUD":
            self.foreign.setdefault(coin, record)

    def _day(self, record: Record) -> date:
        return datetime.fromtimestamp(record.ts_ms / 1000, UTC).astimezone(self.zone).date()
