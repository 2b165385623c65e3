"""Missing funding settlements: never made up silently, but bounded from both sides.

Where settlements are missing, a run is repeated with the stretch's mean set to the lowest and to
the highest mean of any known stretch of that length; the worse run is the one shown.
"""

import numpy as np
from numpy.typing import NDArray

from openalpha.market.history import History

__all__ = ["FALLBACK_RATE_E12", "Settlements", "bounded"]

Settlements = tuple[NDArray[np.int64], NDArray[np.int64]]

FALLBACK_RATE_E12 = 7_500_000_000
"""0.75 % a settlement: the bound where an instrument has no known settlement at all."""


def bounded(history: History, *, highest: bool) -> Settlements:
    """Return a history's settlements with every missing stretch filled at one bound.

    Parameters
    ----------
    history : History
    highest : bool
        True fills with the highest known mean (longs pay most), False with the lowest.

    Returns
    -------
    (int64[k], int64[k])
        Stamps and rates (10^-12), increasing stamps.
    """
    stamps, rates = history.funding_ts_ms, history.funding_rate_e12
    interval = history.instrument.funding_interval_ms
    if not history.funding_gaps or interval is None:
        return stamps, rates
    new_stamps, new_rates = [stamps], [rates]
    for start, stop in history.funding_gaps:
        missing = np.arange(start, stop + 1, interval, dtype=np.int64)
        mean = _extreme_mean(rates, len(missing), highest=highest)
        new_stamps.append(missing)
        new_rates.append(np.full(len(missing), mean, dtype=np.int64))
    every, values = np.concatenate(new_stamps), np.concatenate(new_rates)
    order = np.argsort(every, kind="stable")
    return every[order], values[order]


def _extreme_mean(rates: NDArray[np.int64], length: int, *, highest: bool) -> int:
    """Return the highest or lowest mean of `length` successive known rates.

    Where no known stretch is that long, the extreme single rate; without any, the fallback.
    """
    if len(rates) == 0:
        return FALLBACK_RATE_E12 if highest else -FALLBACK_RATE_E12
    if len(rates) < length:
        return int(rates.max() if highest else rates.min())
    sums = np.concatenate([[0], np.cumsum(rates)])
    means = (sums[length:] - sums[:-length]) / length
    return int(np.ceil(means.max()) if highest else np.floor(means.min()))
