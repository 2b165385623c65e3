"""Pushed trades and changes of the book, as payloads of the tape."""

from decimal import Decimal

from openalpha.core.instruments import Instrument
from openalpha.core.units import to_units
from openalpha.trading.run.message_rows import rows_payload
from openalpha.venue.bybit.public_line import BookChange, Message, Trade
from openalpha.venue.kernel import book_market as event

__all__ = ["TOLD", "level_units", "pushed_payload"]

TOLD: dict[str, tuple[type[Message], ...]] = {
    "bars": (),
    "trades": (Trade,),
    "book": (Trade, BookChange),
}
"""What a run hears beside bars, by what its fills or callbacks are made of."""


def pushed_payload(message: Trade | BookChange, item: Instrument, *, number: int) -> bytes:
    """Return a push as the tape holds it.

    Parameters
    ----------
    message : Trade or BookChange
    item : Instrument
        Whose units its prices and quantities are counted in.
    number : int
        Which of the run's instruments.

    Examples
    --------
    >>> from openalpha.market.catalogue import instrument_for
    >>> btc = instrument_for("bybit_linear:BTCUSDT")
    >>> pushed_payload(Trade("BTCUSDT", 7, "Sell", "100.5", "0.002", "id"), btc, number=0)
    b'{"messages":[[7,2,-1,1005,2]],"number":0}'
    """
    if isinstance(message, Trade):
        side = 1 if message.side == "Buy" else -1
        price, qty = level_units((message.price, message.qty), item)
        return rows_payload([(message.ts_ms, event.TRADE, side, price, qty)], number)
    stamp = message.ts_ms
    rows = [
        (stamp, event.LEVEL, side, *level_units(level, item))
        for side, levels in ((1, message.bids), (-1, message.asks))
        for level in levels
    ]
    if message.is_snapshot:
        begin, end = event.SNAPSHOT_BEGIN, event.SNAPSHOT_END
        rows = [(stamp, begin, 0, 0, 0), *rows, (stamp, end, 0, 0, 0)]
    return rows_payload(rows, number)


def level_units(level: tuple[str, str], item: Instrument) -> tuple[int, int]:
    """Return a price and a quantity, as the venue writes them, in an instrument's units."""
    price, qty = level
    counted = Decimal(qty).scaleb(item.qty_decimals).to_integral_value()
    return to_units(Decimal(price), item.price_decimals), int(counted)
