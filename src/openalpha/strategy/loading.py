"""Finds a strategy by name, entry point or file, and says which source it was made of."""

import hashlib
import importlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from openalpha.core.errors import InputError, UnknownName
from openalpha.strategy.base import PortfolioStrategy, SignalStrategy
from openalpha.strategy.events import EventStrategy, Strategy
from openalpha.strategy.params import StrategyParams

__all__ = [
    "ENTRY_POINTS",
    "is_pure_file",
    "load_strategy",
    "package_hash",
    "source_hash",
    "strategy_names",
]

ENTRY_POINTS = "openalpha.strategies"
"""The entry-point group under which an installed package offers strategies."""

# Name -> module of this package that holds it.
_BUILT_IN = {
    "bollinger": "bollinger",
    "breakout": "breakout",
    "buy_and_hold": "buy_and_hold",
    "dca": "dca",
    "funding_carry": "funding_carry",
    "grid": "grid",
    "ma_cross": "ma_cross",
    "macd": "macd",
    "mean_reversion_volume": "mean_reversion_volume",
    "momentum": "momentum",
    "rsi_reversion": "rsi_reversion",
}
_PACKAGE = Path(__file__).resolve().parent
_SOURCE = "__openalpha_source__"


def strategy_names(folder: Path | None = None) -> tuple[str, ...]:
    """Return every name `load_strategy` knows: built in, installed, and in the user's folder.

    Parameters
    ----------
    folder : Path, optional
        The user's folder of strategy files; `my_idea.py` there is called `my_idea`.

    Examples
    --------
    >>> "ma_cross" in strategy_names()
    True
    """
    names = set(_BUILT_IN) | set(_installed())
    if folder is not None and folder.is_dir():
        names |= {path.stem for path in folder.glob("*.py") if not path.name.startswith("_")}
    return tuple(sorted(names))


def load_strategy(
    ref: "str | Path | Strategy | type[Strategy]", *, folder: Path | None = None
) -> type[Strategy]:
    """Return the strategy class that a name, a file or a class stands for.

    Parameters
    ----------
    ref : str, Path or class
        A built-in name, an entry point's name, the name of a file in `folder`, or a path to a
        `.py` file; `file.py:Class` chooses among several classes in it.
    folder : Path, optional
        The user's folder of strategy files. Built-in names win over it.

    Raises
    ------
    UnknownName
        If nothing of that name exists.
    InputError
        If the file cannot be read, fails on import, or holds no single, complete strategy.

    Examples
    --------
    >>> load_strategy("ma_cross").name
    'ma_cross'
    """
    if isinstance(ref, SignalStrategy | EventStrategy):
        return _complete(type(ref), type(ref).__name__)
    if inspect.isclass(ref):
        return _complete(ref, ref.__name__)
    text = str(ref)
    if text in _BUILT_IN:
        module = importlib.import_module(f"openalpha.strategy.builtin.{_BUILT_IN[text]}")
        return _only_class(module, "", text)
    if text in _installed():
        return _complete(_load_entry_point(_installed()[text]), text)
    path, _, class_name = text.partition(".py:")
    if class_name:
        path += ".py"
    if path.endswith(".py"):
        return _from_file(Path(path), class_name)
    if folder is not None and (folder / f"{text}.py").is_file():
        return _from_file(folder / f"{text}.py", "")
    near = get_close_matches(text, strategy_names(folder), n=1)
    known = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(strategy_names(folder))}"
    raise UnknownName(f"there is no strategy '{text}'; {known} (a file's name ends in .py)")


@cache
def _installed() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=ENTRY_POINTS)}


def _load_entry_point(point: EntryPoint) -> Any:
    try:
        return point.load()
    except Exception as error:  # noqa: BLE001 - other people's code: any failure is their user's
        raise InputError(
            f"strategy {point.name} of {point.value} cannot be loaded: {_words(error)}"
        ) from None


def _from_file(path: Path, class_name: str) -> type[Strategy]:
    try:
        source = path.read_bytes()
    except OSError as error:
        raise InputError(f"strategy file {path} cannot be read: {error.strerror}") from None
    digest = hashlib.sha256(str(path.resolve()).encode() + source).hexdigest()[:12]
    module_name = f"openalpha_user_{path.stem}_{digest}".replace("-", "_")
    module = sys.modules.get(module_name) or _import_file(path, module_name)
    # The file may be edited while the class lives: its hash is that of what was loaded.
    vars(module)[_SOURCE] = source
    return _only_class(module, class_name, str(path))


def _import_file(path: Path, module_name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(module_name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # noqa: BLE001 - a user's file may fail in any way
        del sys.modules[module_name]
        raise InputError(f"strategy file {path} fails on import: {_words(error, path)}") from None
    return module


def _words(error: Exception, path: Path | None = None) -> str:
    kind = type(error).__name__
    if isinstance(error, SyntaxError):
        return f"{kind}: {error.msg} (line {error.lineno})"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if path is not None and Path(frame.filename) == path]
    at = f" (line {own[-1].lineno})" if own else ""
    return f"{kind}: {error}{at}"


def _only_class(module: ModuleType, class_name: str, where: str) -> type[Strategy]:
    found = {item.__name__: item for item in _strategy_classes(module)}
    if class_name:
        if class_name not in found:
            raise InputError(f"{where} has no strategy class '{class_name}'; it has {_list(found)}")
        return _complete(found[class_name], where)
    if len(found) != 1:
        advice = f"choose one by {where}:NAME" if found else "derive one from SignalStrategy"
        raise InputError(f"{where} holds {_list(found)}, expected one strategy class; {advice}")
    return _complete(next(iter(found.values())), where)


def _list(found: dict[str, Any]) -> str:
    return ", ".join(sorted(found)) or "none"


def _strategy_classes(module: ModuleType) -> Iterator[type[Strategy]]:
    for item in vars(module).values():
        if (
            inspect.isclass(item)
            and issubclass(item, SignalStrategy | EventStrategy)
            and item.__module__ == module.__name__
            and not item.__name__.startswith("_")
        ):
            yield item


def _complete(item: Any, where: str) -> type[Strategy]:
    """Return the class if it has everything a strategy needs, else say what is missing."""
    kinds = (SignalStrategy, EventStrategy)
    if not (inspect.isclass(item) and issubclass(item, kinds)):
        raise InputError(f"{where} is not a strategy class")
    if inspect.isabstract(item):
        missing = ", ".join(sorted(item.__abstractmethods__))
        raise InputError(f"{where}: strategy {item.__name__} does not define {missing}")
    for attribute in ("name", "idea"):
        if not isinstance(getattr(item, attribute, None), str):
            raise InputError(f"{where}: strategy {item.__name__} has no {attribute} (a text)")
    params = getattr(item, "Params", None)
    if not (inspect.isclass(params) and issubclass(params, StrategyParams)):
        raise InputError(f"{where}: {item.__name__}.Params must derive from StrategyParams")
    return item


@cache
def package_hash() -> str:
    """Return the hash of every source of this package: indicators, built-ins, the proof."""
    digest = hashlib.sha256()
    for path in sorted(_PACKAGE.rglob("*.py")):
        digest.update(path.relative_to(_PACKAGE).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def source_hash(strategy: Strategy | type[Strategy]) -> str:
    """Return the SHA-256 of what a strategy is made of: its file and its class.

    An edit during a run does not change it: it is the hash of what was loaded.
    A class that came from no file (a notebook) is hashed by its code.

    Examples
    --------
    >>> source_hash(load_strategy("macd")) == source_hash(load_strategy("momentum"))
    False
    """
    cls = strategy if inspect.isclass(strategy) else type(strategy)
    return _class_hash(cls)


@cache
def _class_hash(cls: type[Strategy]) -> str:
    digest = hashlib.sha256(cls.__qualname__.encode())
    for base in cls.__mro__:
        if base in (SignalStrategy, PortfolioStrategy, EventStrategy, object):
            continue
        source = _source_of(base)
        digest.update(source or b"")
        if source is None or "<locals>" in base.__qualname__:
            digest.update(_code_of(base))
    return digest.hexdigest()


def is_pure_file(strategy: Strategy) -> bool:
    """Whether the source hash says all: a class of a file's top level, holding no state."""
    return "<locals>" not in type(strategy).__qualname__ and not any(
        value is not None for value in vars(strategy).values()
    )


def _source_of(cls: type) -> bytes | None:
    module = sys.modules.get(cls.__module__)
    loaded: bytes | None = getattr(module, _SOURCE, None)
    if loaded is not None:
        return loaded
    file = getattr(module, "__file__", None)
    return Path(file).read_bytes() if file and Path(file).is_file() else None


def _code_of(cls: type) -> bytes:
    parts = []
    for name, item in sorted(vars(cls).items()):
        function = item.__func__ if isinstance(item, staticmethod | classmethod) else item
        if isinstance(function, Callable) and hasattr(function, "__code__"):  # type: ignore[arg-type]
            parts.append(name.encode() + _bytes_of(function.__code__))
    return b"\0".join(parts)


def _bytes_of(code: CodeType) -> bytes:
    inner = [_bytes_of(item) for item in code.co_consts if isinstance(item, CodeType)]
    plain = [repr(item) for item in code.co_consts if not isinstance(item, CodeType)]
    return code.co_code + repr((plain, code.co_names)).encode() + b"".join(inner)
