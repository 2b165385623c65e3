"""How `openalpha ledger` shows what the books hold."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from openalpha.core.clock import format_ms
from openalpha.store.decimals import decimal_text

if TYPE_CHECKING:
    from openalpha.books.balances import Balance
    from openalpha.books.entries import Entry
    from openalpha.books.equity import DayEquity
    from openalpha.books.holdings import Pnl, Position
    from openalpha.books.statement import Statement
    from openalpha.books.trades import Trade

__all__ = [
    "balances_table",
    "entries_table",
    "equity_table",
    "pnl_table",
    "positions_table",
    "side_by_side",
    "statement_table",
    "trades_table",
]

_UNKNOWN = "no rate"


def _table(left: Sequence[str], right: Sequence[str], rows: Iterable[Sequence[str]]) -> Any:
    from rich.table import Table

    table = Table(*left, box=None, pad_edge=False)
    for header in right:
        table.add_column(header, justify="right")
    for row in rows:
        table.add_row(*row)
    return table


def _money(amount: Decimal | None, decimals: int = 2) -> str:
    return _UNKNOWN if amount is None else f"{amount:,.{decimals}f}"


def balances_table(rows: Iterable["Balance"]) -> Any:
    """Return one row a coin of a venue account."""
    cells = [
        (str(row.book), row.venue, row.coin, decimal_text(row.amount), _money(row.usd),
         _money(row.aud))
        for row in rows
    ]  # fmt: skip
    return _table(("book", "account", "coin"), ("balance", "USD", "AUD"), cells)


def side_by_side(rows: Iterable["Balance"]) -> Any:
    """Return one row a book: what its coins are worth together in USD and AUD."""
    from openalpha.books.balances import total_worth

    by_book: dict[str, list[Balance]] = {}
    for row in rows:
        by_book.setdefault(str(row.book), []).append(row)
    cells = []
    for name, mine in by_book.items():
        worth = total_worth(mine)
        without = f"without {', '.join(worth.unknown)}" if worth.unknown else ""
        has_usd, has_aud = (
            any(getattr(row, coin) is not None for row in mine) for coin in ("usd", "aud")
        )
        usd, aud = worth.usd if has_usd else None, worth.aud if has_aud else None
        cells.append((name, without, _money(usd), _money(aud)))
    return _table(("book", ""), ("USD", "AUD"), cells)


def positions_table(rows: Iterable["Position"]) -> Any:
    """Return one row a position."""
    cells = [
        (row.venue, row.instrument, row.coin, decimal_text(row.qty), decimal_text(row.entry_price),
         "" if row.mark is None else decimal_text(row.mark.price), _money(row.value),
         _money(row.unrealised))
        for row in rows
    ]  # fmt: skip
    return _table(
        ("account", "instrument", "coin"), ("quantity", "entry", "mark", "value", "unrealised"),
        cells,
    )  # fmt: skip


def pnl_table(rows: Iterable["Pnl"]) -> Any:
    """Return one row an instrument and coin."""
    cells = [
        (row.venue, row.instrument, row.coin, *(_money(amount, 4) for amount in (
            row.realised, row.unrealised, row.fees, row.funding,
            row.liquidation_fees + row.insurance, row.interest + row.rewards, row.net)))
        for row in rows
    ]  # fmt: skip
    return _table(
        ("account", "instrument", "coin"),
        ("realised", "unrealised", "fees", "funding", "liquidation", "income", "net"),
        cells,
    )


def equity_table(rows: Iterable["DayEquity"]) -> Any:
    """Return one row a day."""
    cells = [
        (format_ms(row.day_ms)[:10], row.currency, _money(row.cash.get(row.currency, Decimal(0))),
         _money(row.unrealised), _money(row.equity), _money(row.usd), _money(row.aud),
         f"without {', '.join(row.unmarked)}" if row.unmarked else "")
        for row in rows
    ]  # fmt: skip
    return _table(("day", "coin"), ("cash", "unrealised", "equity", "USD", "AUD", ""), cells)


def statement_table(found: "Statement") -> Any:
    """Return one row a change of the balance."""
    cells = [
        (str(line.seq), format_ms(line.ts_ms), line.kind.name.lower(), line.ref, line.memo,
         decimal_text(line.amount), decimal_text(line.balance))
        for line in found.lines
    ]  # fmt: skip
    return _table(("entry", "time", "kind", "of", "memo"), ("amount", "balance"), cells)


def trades_table(rows: Iterable["Trade"]) -> Any:
    """Return one row a fill."""
    cells = [
        (format_ms(row.ts_ms), row.venue, row.instrument, "buy" if row.side > 0 else "sell",
         decimal_text(row.qty), decimal_text(row.price), _money(row.notional),
         f"{decimal_text(row.fee)} {row.fee_coin}", decimal_text(row.realised_pnl))
        for row in rows
    ]  # fmt: skip
    return _table(
        ("time", "account", "instrument", "side"),
        ("quantity", "price", "notional", "fee", "realised"),
        cells,
    )


def entries_table(rows: Iterable["Entry"]) -> Any:
    """Return one row a line of an entry, newest entry first."""
    cells = []
    for entry in rows:
        head = (str(entry.seq), format_ms(entry.ts_ms), entry.kind.name.lower(), entry.ref)
        for account, amount in entry.postings:
            cells.append((*head, str(account), decimal_text(amount)))
            head = ("", "", "", "")
        if not entry.postings:
            cells.append((*head, f"{len(entry.quotes)} rates", ""))
    return _table(("entry", "time", "kind", "of", "account"), ("amount",), cells)
