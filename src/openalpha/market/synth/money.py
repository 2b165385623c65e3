"""A synthetic price of USDT in Australian dollars, so that made-up books have a made-up value."""

import numpy as np

from openalpha.core.clock import HOUR_MS
from openalpha.core.instruments import instrument_id
from openalpha.market.catalogue import inferred_instrument
from openalpha.market.history import History
from openalpha.market.synth.build import SPOT_MARKET
from openalpha.market.synth.streams import normals

__all__ = ["AUD_SYMBOL", "aud_history"]

AUD_SYMBOL = f"{SPOT_MARKET}:USDTAUD"
_FIRST = 1.5
_HOUR_STEP = 0.001  # about 9 % a year, as AUD moves against USD
_DECIMALS = 4
_VOLUME = 1_000_000


def aud_history(seed: int, *, start_ms: int, n_hours: int) -> History:
    """Return hourly bars of USDT in AUD: a walk of a currency's size, the same for a seed.

    Parameters
    ----------
    seed : int
        The market's.
    start_ms : int
        First bar's open, UTC ms.
    n_hours : int
        Bars, above 0.

    Examples
    --------
    >>> aud_history(7, start_ms=0, n_hours=3).bars.shape
    (3, 5)
    """
    steps = _HOUR_STEP * normals(seed, SPOT_MARKET, "USDTAUD", shape=(n_hours,))
    close = np.rint(_FIRST * np.exp(np.cumsum(steps)) * 10**_DECIMALS).astype(np.int64)
    first = np.concatenate(([round(_FIRST * 10**_DECIMALS)], close[:-1]))
    bars = np.column_stack(
        (
            first,
            np.maximum(first, close),
            np.minimum(first, close),
            close,
            np.full(n_hours, _VOLUME),
        )
    ).astype(np.int64)
    return History.of(
        inferred_instrument(
            instrument_id(*AUD_SYMBOL.split(":")), price_decimals=4, qty_decimals=2
        ),
        HOUR_MS,
        ts_ms=np.arange(n_hours, dtype=np.int64) * HOUR_MS + start_ms,
        bars=bars,
        notes=(f"SYNTHETIC: made by the generator with seed {seed}, not market data",),
    )
