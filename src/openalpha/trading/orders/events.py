"""What a real venue's side tells the desk beside the events of `trading.side`."""

from dataclasses import dataclass

from openalpha.core.messages import Fill

__all__ = ["VenueFill"]


@dataclass(frozen=True, slots=True)
class VenueFill:
    """An execution at a real venue.

    Parameters
    ----------
    link_id : str
        Our id of the order; empty where the order is none of this run's: by hand, a position's own
        stop, a liquidation.
    exec_id : str
        The venue's id of the execution: each is told once.
    kind : str
        The venue's word: Trade, AdlTrade, BustTrade, Settle, Delivery.
    fill : Fill
        `order_id` is the order's number in the run, 0 where it is none of ours.
    """

    link_id: str
    exec_id: str
    kind: str
    fill: Fill
