"""The reference book: matching by price and time, written from docs/kernel/book.md alone.

At each price stands one line of people: strangers' quantity and orders, front first. That is slow
and obviously right; the kernel instead keeps the number of units ahead of each order.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from openalpha.core.orders import OrderStatus, Role, TimeInForce, TriggerBy, TriggerKind
from openalpha.core.reasons import Reason
from tests.reference.book_case import (
    AmendOrder,
    BookCase,
    BookFill,
    BookOutcome,
    CancelOrder,
    Ended,
    Level,
    MarkPrice,
    Order,
    Print,
    Snapshot,
    Step,
)
from tests.reference.book_line import Line, Standing, Strangers

E8 = 10**8
_BY_KIND = (Reason.MARKET, Reason.STOP, Reason.TAKE_PROFIT, Reason.TRAILING)


@dataclass(slots=True)
class ReferenceBook:
    case: BookCase
    lines: dict[int, dict[int, Line]] = field(default_factory=lambda: {1: {}, -1: {}})
    alive: dict[int, Standing] = field(default_factory=dict)
    qty: list[int] = field(default_factory=list)
    cost: list[int] = field(default_factory=list)
    out: BookOutcome = field(default_factory=BookOutcome)
    last: int = 0
    mark: int | None = None
    seq: int = 0
    count: int = 0

    # the market

    def shown(self, side: int, price: int) -> int:
        line = self.lines[side].get(price, [])
        return sum(one.qty for one in line if isinstance(one, Strangers))

    def state_level(self, level: Level) -> None:
        """B2, B5: more comes last, less is taken from the end of the line."""
        line = self.lines[level.side].setdefault(level.price, [])
        change = level.qty // self.case.lot * self.case.lot - self.shown(level.side, level.price)
        if change > 0:
            line.append(Strangers(change))
        for one in reversed(list(line)):
            if change < 0 and isinstance(one, Strangers):
                gone = min(one.qty, -change)
                one.qty -= gone
                change += gone
        self.tidy(level.side, level.price)

    def tidy(self, side: int, price: int) -> None:
        """Strangers who stand next to each other are met as one."""
        line: Line = []
        for one in self.lines[side][price]:
            before = line[-1] if line else None
            if isinstance(one, Strangers) and isinstance(before, Strangers):
                before.qty += one.qty
            elif isinstance(one, Standing) or one.qty:
                line.append(one)
        self.lines[side][price] = line
        if not line:
            del self.lines[side][price]

    def snapshot(self, levels: tuple[Level, ...]) -> None:
        stated = {(level.side, level.price): level for level in levels}
        for side in (1, -1):
            for price in list(self.lines[side]):
                self.state_level(stated.pop((side, price), Level(side, price, 0)))
        for level in stated.values():
            self.state_level(level)

    def match_crossed(self) -> None:
        """B11."""
        for side in (1, -1):
            for price in self.prices(-side):
                while (shown := self.shown(-side, price)) and (o := self.first_order(side, price)):
                    got = self.make(o, shown)
                    if got:
                        self.last = o.limit
                        left = shown - got
                        self.state_level(Level(-side, price, left))

    def first_order(self, side: int, bound: int) -> Standing | None:
        for price in self.prices(side):
            if side * price < side * bound:
                return None
            for one in self.lines[side][price]:
                if isinstance(one, Standing):
                    return one
        return None

    def prices(self, side: int) -> list[int]:
        return sorted(self.lines[side], reverse=side > 0)

    def people(self, side: int, bound: int | None) -> Iterator[tuple[int, Strangers | Standing]]:
        """Everyone a taker of the other side meets, in order (B1, B3)."""
        for price in self.prices(side):
            if bound is not None and side * price < side * bound:
                return
            for one in self.lines[side][price]:
                yield price, one

    # fills

    def make(self, o: Standing, most: int) -> int:
        """B6: fill a resting order; 0 if it vanished instead."""
        if o.is_reduce_only and not self.cut(o):
            self.end(o, OrderStatus.CANCELLED, Reason.REDUCE_ONLY_NO_POSITION)
            return 0
        got = min(o.rest, most) // self.case.lot * self.case.lot
        if got:
            self.fill(o, got, o.limit, Role.MAKER, Reason.LIMIT_RESTED)
        return got

    def closable(self, o: Standing) -> int:
        held = self.qty[o.account]
        size = abs(held) if held * o.side < 0 else 0
        return size // self.case.lot * self.case.lot

    def cut(self, o: Standing) -> bool:
        room = self.closable(o)
        if room:
            o.qty = o.filled + (room if o.is_whole else min(o.rest, room))
            o.is_whole = False
        return room > 0

    def fill(self, o: Standing, qty: int, price: int, role: Role, reason: Reason) -> None:
        case, a = self.case, o.account
        rate = case.maker_e8 if role is Role.MAKER else case.taker_e8
        held, x = self.qty[a], o.side * qty
        closed = min(qty, abs(held)) if held * x < 0 else 0
        if closed:
            sign = 1 if held > 0 else -1
            released = -(-self.cost[a] * closed // abs(held))
            self.out.balances[a] += sign * closed * price - released
            self.cost[a] -= released
        self.cost[a] += (qty - closed) * o.side * price
        self.qty[a] += x
        self.out.balances[a] += -qty * price * rate // E8
        self.out.fills.append(BookFill(a, o.id, x, price, role, reason))
        o.filled += qty
        if self.qty[a] == 0 or held * self.qty[a] < 0:
            for other in list(self.alive.values()):
                if other.account == a and other.is_reduce_only and other is not o:
                    self.end(other, OrderStatus.CANCELLED, Reason.CANCELLED_POSITION_CLOSED)
        if o.rest == 0:
            self.end(o, OrderStatus.FILLED, Reason.NONE)

    def end(self, o: Standing, status: OrderStatus, reason: Reason) -> None:
        self.alive.pop(o.id, None)
        self.leave(o)
        self.out.ended[o.id] = Ended(status, reason, o.filled)

    def leave(self, o: Standing) -> None:
        line = self.lines[o.side].get(o.limit, [])
        if o in line:
            line.remove(o)
            self.tidy(o.side, o.limit)

    def take_one(self, price: int, one: Strangers | Standing, side: int, most: int) -> int:
        if isinstance(one, Standing):
            got = self.make(one, most)
        else:
            got = min(one.qty, most)
            one.qty -= got
            self.tidy(-side, price)
        if got:
            self.last = price
        return got

    def print(self, p: Print) -> None:
        """B8."""
        left = p.qty // self.case.lot * self.case.lot
        while left and (found := next(self.people(-p.taker_side, p.price), None)):
            left -= self.take_one(*found, p.taker_side, left)
        self.last = p.price

    # orders

    def certain(self, o: Standing, bound: int | None) -> int:
        """B7."""
        found = 0
        for _, one in self.people(-o.side, bound):
            if isinstance(one, Strangers):
                found += one.qty
            elif one.account == o.account:
                break
            elif not one.is_reduce_only:
                found += one.rest // self.case.lot * self.case.lot
        return found

    def execute(self, o: Standing) -> None:
        """B6, B9, B10."""
        bound = o.limit or None
        is_marketable = next(self.people(-o.side, bound), None) is not None
        if o.limit and o.tif is TimeInForce.POST_ONLY and is_marketable:
            return self.end(o, OrderStatus.REJECTED, Reason.POST_ONLY_WOULD_TAKE)
        if o.tif is TimeInForce.FOK and self.certain(o, bound) < o.rest:
            return self.end(o, OrderStatus.CANCELLED, Reason.FOK_NOT_FILLABLE)
        reason = Reason.LIMIT_TAKEN if o.limit else _BY_KIND[o.kind]
        while o.id in self.alive and (found := next(self.people(-o.side, bound), None)):
            price, one = found
            if isinstance(one, Standing) and one.account == o.account:
                return self.end(o, OrderStatus.CANCELLED, Reason.SELF_MATCH)
            got = self.take_one(price, one, o.side, o.rest)
            if got:
                self.fill(o, got, price, Role.TAKER, reason)
        if o.id not in self.alive:
            return None
        if o.limit and o.tif in (TimeInForce.GTC, TimeInForce.POST_ONLY):
            self.lines[o.side].setdefault(o.limit, []).append(o)
            return None
        return self.end(o, OrderStatus.CANCELLED, Reason.IOC_REMAINDER)

    def go_live(self, o: Standing) -> None:
        if o.is_reduce_only and not self.cut(o):
            self.end(o, OrderStatus.REJECTED, Reason.REDUCE_ONLY_NO_POSITION)
        else:
            self.execute(o)

    def watched(self, o: Standing) -> int:
        is_mark = o.by is not TriggerBy.LAST and self.mark is not None
        return self.mark if is_mark and self.mark is not None else self.last

    def rises(self, o: Standing) -> bool:
        return (o.side > 0) != (o.kind is TriggerKind.TAKE_PROFIT)

    def arrive(self, new: Order) -> None:
        self.count += 1
        self.seq += 1
        o = Standing(
            self.count,
            self.seq,
            new.account,
            new.side,
            new.qty,
            new.limit,
            new.tif,
            new.trigger_kind,
            new.trigger_by,
            new.trigger,
            new.is_reduce_only,
            new.qty == 0 and new.is_reduce_only,
        )
        self.alive[o.id] = o
        refusal = self.refusal(o)
        if refusal is not None:
            self.end(o, OrderStatus.REJECTED, refusal)
        elif o.kind is TriggerKind.NONE:
            self.go_live(o)
        else:
            o.is_waiting = True

    def refusal(self, o: Standing) -> Reason | None:
        """O4 and B13, as far as a book story needs them."""
        is_conditional = o.kind is not TriggerKind.NONE
        if is_conditional and self.last == 0:
            return Reason.TRIGGER_WRONG_SIDE
        if not o.is_whole and o.qty % self.case.lot:
            return Reason.OFF_LOT
        if not o.is_whole and o.qty < 1:
            return Reason.BELOW_MIN_QTY
        if is_conditional:
            ahead = o.trigger - self.watched(o)
            if (ahead if self.rises(o) else -ahead) <= 0:
                return Reason.TRIGGER_WRONG_SIDE
        return None

    def cancel(self, step: CancelOrder) -> None:
        self.seq += 1
        o = self.alive.get(step.order_id)
        if o is not None and o.account == step.account:
            self.end(o, OrderStatus.CANCELLED, Reason.CANCELLED_BY_USER)

    def amend(self, step: AmendOrder) -> None:
        """B17, O10, X11."""
        self.seq += 1
        o = self.alive.get(step.order_id)
        if o is None or o.account != step.account:
            return
        qty, limit = step.qty or o.qty, step.limit or o.limit
        is_bad = (step.limit and not o.limit) or (step.qty and step.qty <= o.filled)
        is_off = not (o.is_whole and not step.qty) and qty % self.case.lot
        if is_bad or is_off:
            return
        if step.qty:
            o.is_whole = False
        is_anew = limit != o.limit or qty > o.qty
        if is_anew and not o.is_waiting:
            self.leave(o)
        o.qty, o.limit = qty, limit
        if is_anew:
            self.seq += 1
            o.seq = self.seq
            if not o.is_waiting and o.limit:
                self.execute(o)

    def trigger(self) -> None:
        """B13."""
        while True:
            due = [o for o in self.alive.values() if o.is_waiting and self.is_reached(o)]
            if not due:
                return
            o = min(due, key=lambda o: (o.kind is TriggerKind.TAKE_PROFIT, o.seq))
            o.is_waiting = False
            self.go_live(o)

    def is_reached(self, o: Standing) -> bool:
        price = self.watched(o)
        return price >= o.trigger if self.rises(o) else price <= o.trigger

    def step(self, step: Step) -> None:
        match step:
            case Level():
                self.state_level(step)
                self.match_crossed()
            case Snapshot():
                self.snapshot(step.levels)
                self.match_crossed()
            case Print():
                self.print(step)
            case MarkPrice():
                self.mark = step.price
            case Order():
                self.arrive(step)
            case CancelOrder():
                self.cancel(step)
            case AmendOrder():
                self.amend(step)
        self.trigger()


def run(case: BookCase) -> BookOutcome:
    """Run a story from its first step to its last."""
    book = ReferenceBook(case, qty=[0] * case.accounts, cost=[0] * case.accounts)
    book.out.balances = [case.balance] * case.accounts
    for step in case.steps:
        book.step(step)
    out = book.out
    out.positions = list(zip(book.qty, book.cost, strict=True))
    out.last = book.last
    for side in (1, -1):
        rows = []
        for price in book.prices(side):
            ahead = 0
            for one in book.lines[side][price]:
                if isinstance(one, Standing):
                    out.queues[one.id] = ahead
                else:
                    ahead += one.qty
            line = book.lines[side][price]
            rows.append((price, sum(p.rest if isinstance(p, Standing) else p.qty for p in line)))
        out.depth.append(rows)
    return out
