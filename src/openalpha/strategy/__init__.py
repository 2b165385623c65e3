"""What to want: indicators and strategies that turn history into targets or order intents."""

from openalpha.strategy.bars import COLUMNS, Bars, FloatArray, IntArray, Resampled
from openalpha.strategy.base import (
    NO_OPINION_E6,
    Context,
    EventStrategy,
    OpenOrder,
    OrderTerms,
    PortfolioStrategy,
    SignalStrategy,
    Strategy,
    evaluate,
    quantise,
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

__all__ = [
    "COLUMNS",
    "NO_OPINION_E6",
    "Bars",
    "Context",
    "EventStrategy",
    "ExitParams",
    "Exits",
    "FloatArray",
    "IntArray",
    "OpenOrder",
    "OrderTerms",
    "Param",
    "ParameterInfo",
    "PortfolioStrategy",
    "Resampled",
    "SignalStrategy",
    "Strategy",
    "StrategyParams",
    "build_params",
    "evaluate",
    "load_strategy",
    "parameter_table",
    "quantise",
    "source_hash",
    "strategy_names",
]
