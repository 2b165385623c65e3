"""Synthetic markets: seeded, lifelike in their statistics, with or without a planted edge.

Everything made here says SYNTHETIC in its notes and lives in markets of its own.
"""

from openalpha.market.synth.build import LINEAR_MARKET, SPOT_MARKET, SynthMarket, synthesise
from openalpha.market.synth.spec import PRESETS, Edge, EdgeKind, SynthSpec

__all__ = [
    "LINEAR_MARKET",
    "PRESETS",
    "SPOT_MARKET",
    "Edge",
    "EdgeKind",
    "SynthMarket",
    "SynthSpec",
    "synthesise",
]
