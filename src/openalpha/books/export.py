"""Trade history and journal as files other programs read: CSV, JSON lines, Parquet.

Decimals are text in all of them: a spreadsheet's or a file's number would round them.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from openalpha.books.entries import Entry
from openalpha.books.trades import Trade
from openalpha.core.clock import format_ms
from openalpha.core.errors import InputError
from openalpha.core.orders import Leg, Role, Side
from openalpha.core.reasons import Reason, explain
from openalpha.store.atomic import write_bytes
from openalpha.store.decimals import decimal_text

__all__ = ["FORMATS", "entry_rows", "trade_rows", "write_rows"]

FORMATS = ("csv", "json", "parquet")
Rows = Sequence[dict[str, Any]]

_TRADE_COLUMNS = (
    "entry", "ts_ms", "time", "account", "instrument", "side", "leg", "price", "qty", "notional",
    "role", "fee", "fee_coin", "realised_pnl", "is_reducing", "reason", "order",
)  # fmt: skip
_ENTRY_COLUMNS = (
    "entry", "kind", "ts_ms", "time", "recorded", "source", "ref", "corrects", "memo", "account",
    "category", "coin", "instrument", "amount", "aud_rate", "rate_source", "rate_time", "hash",
)  # fmt: skip


def trade_rows(trades: Iterable[Trade]) -> Rows:
    """Return one row a fill."""
    return [
        dict(
            zip(
                _TRADE_COLUMNS,
                (
                    t.entry, t.ts_ms, format_ms(t.ts_ms), t.venue, t.instrument,
                    Side(t.side).name.lower(), "short" if t.leg == Leg.SHORT else "",
                    *map(decimal_text, (t.price, t.qty, t.notional)), Role(t.role).name.lower(),
                    decimal_text(t.fee), t.fee_coin, decimal_text(t.realised_pnl), t.is_reducing,
                    explain(Reason(t.reason)), t.order_ref,
                ),
                strict=True,
            )
        )
        for t in trades
    ]  # fmt: skip


def entry_rows(entries: Iterable[Entry]) -> Rows:
    """Return one row a line of an entry; an entry that moves nothing has one row."""
    found = []
    for entry in entries:
        rates = {q.coin: q for q in entry.quotes if q.of_seq is None and q.quote == "AUD"}
        head = (
            entry.seq, entry.kind.name.lower(), entry.ts_ms, format_ms(entry.ts_ms),
            format_ms(entry.recorded_ms), entry.source, entry.ref, entry.corrects, entry.memo,
        )  # fmt: skip
        for account, amount in entry.postings or [(None, Decimal(0))]:
            rate = rates.get(account.coin) if account else None
            line = (
                (account.venue, account.category.name.lower(), account.coin, account.instrument)
                if account
                else ("", "", "", "")
            )
            value = (
                (decimal_text(rate.rate), rate.source, format_ms(rate.ts_ms))
                if rate
                else ("", "", "")
            )
            row = (*head, *line, decimal_text(amount), *value, entry.hash)
            found.append(dict(zip(_ENTRY_COLUMNS, row, strict=True)))
    return found


def write_rows(path: Path, rows: Rows, *, form: str = "") -> Path:
    """Write rows to a file, whole or not at all.

    Parameters
    ----------
    form : str
        `csv`, `json` or `parquet`; the file's ending where it is not said.

    Raises
    ------
    InputError
        If the format is none of these.
    StorageError
        If the disk refuses; a file of that name is then as it was.
    """
    import polars as pl

    wanted = form or path.suffix.lstrip(".").lower()
    if wanted not in FORMATS:
        raise InputError(f"'{wanted}' is not a format; expected one of {', '.join(FORMATS)}")
    frame = pl.DataFrame(list(rows), infer_schema_length=None)
    if wanted == "csv":
        content = frame.write_csv().encode()
    elif wanted == "json":
        content = (frame.write_json() + "\n").encode()
    else:
        from io import BytesIO

        buffer = BytesIO()
        frame.write_parquet(buffer)
        content = buffer.getvalue()
    write_bytes(path, content)
    return path
