"""What to want: indicators and strategies that turn history into targets or order intents."""

from openalpha.strategy.bars import COLUMNS, Bars, FloatArray, IntArray, Resampled
from openalpha.strategy.base import (
    NO_OPINION_E6,
    PortfolioStrategy,
    SignalStrategy,
    evaluate,
    evaluate_e6,
    quantise,
)
from openalpha.strategy.events import (
    Book,
    Context,
    EventStrategy,
    OpenOrder,
    OrderTerms,
    Strategy,
    Trade,
)
from openalpha.strategy.loading import load_strategy, source_hash, strategy_names
from openalpha.strategy.params import (
    ExitParams,
    Exits,
    Param,
    ParameterInfo,
    StrategyParams,
    build_params,
    parameter_table,
)
from openalpha.strategy.proof import Finding, FindingKind, ProofResult, prove
from openalpha.strategy.together import together

__all__ = [
    "COLUMNS",
    "NO_OPINION_E6",
    "Bars",
    "Book",
    "Context",
    "EventStrategy",
    "ExitParams",
    "Exits",
    "Finding",
    "FindingKind",
    "FloatArray",
    "IntArray",
    "OpenOrder",
    "OrderTerms",
    "Param",
    "ParameterInfo",
    "PortfolioStrategy",
    "ProofResult",
    "Resampled",
    "SignalStrategy",
    "Strategy",
    "StrategyParams",
    "Trade",
    "build_params",
    "evaluate",
    "evaluate_e6",
    "load_strategy",
    "parameter_table",
    "prove",
    "quantise",
    "source_hash",
    "strategy_names",
    "together",
]
