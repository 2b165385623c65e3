"""Documents of studies as JSON text: what is no number is null, for JSON knows neither."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

__all__ = ["strict_json"]


def strict_json(document: Mapping[str, Any]) -> str:
    """Return a document as JSON text; NaN and infinities are null, wherever they stand.

    Examples
    --------
    >>> strict_json({"sharpe": float("nan"), "returns": (0.5, float("inf"))})
    '{"sharpe": null, "returns": [0.5, null]}'
    """
    return json.dumps(_finite(document), ensure_ascii=False, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_finite(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value
