"""The twin: an exchange on this machine that speaks Bybit's v5 protocol and matches on the kernel.

`Exchange` is the whole venue without a socket; `App` serves it. Layers: wire (requests, signatures,
limits) / handlers (one file a family) / state and desk / market feed / sockets / faults / admin.
"""

from openalpha.venue.twin.exchange import Exchange
from openalpha.venue.twin.settings import ListingSpec, TwinSettings
from openalpha.venue.twin.wire import Reply, Request

__all__ = ["Exchange", "ListingSpec", "Reply", "Request", "TwinSettings"]
