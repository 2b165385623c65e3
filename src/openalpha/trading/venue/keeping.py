"""A desk's whole state as bytes and back: what a segment of the log begins with.

The state is every object of the desk as it is, so that no part can be forgotten; what the run's
folder holds anyway (plan, strategies) is named instead. It is read by the very program that wrote
it alone: by another, the run's log is gone through from its first segment, which is always right.
"""

import hashlib
import importlib.util
import io
import pickle
import zlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import FunctionType
from typing import Any

from openalpha.core.errors import StorageError
from openalpha.strategy.events import EventStrategy
from openalpha.trading.venue.desk import VenueDesk

__all__ = ["UNKEPT", "copied_desk", "freeze_desk", "program_mark", "thaw_desk"]

UNKEPT = (
    "a strategy holds what no segment of the log can keep, such as a function or an object of "
    "another library: none is begun, and a restart goes through the whole log"
)
_PARTS = ("core", "engine", "risk", "strategy", "trading", "venue")
_ALLOWED = ("collections", "decimal", "numpy", "openalpha")
_PLAIN = frozenset({"bytearray", "complex", "frozenset", "getattr", "set", "slice"})


def freeze_desk(desk: VenueDesk) -> bytes | None:
    """Return a desk's state; None where a strategy of callbacks holds what cannot be kept."""
    made = io.BytesIO()
    keeper = _Keeper(made, protocol=5)
    keeper.anchors = {id(one): number for number, one in enumerate(_anchors(desk))}
    keeper.own = _own_modules(desk)
    try:
        keeper.dump(desk)
    except (pickle.PicklingError, TypeError, AttributeError, RecursionError):
        if desk.callbacks.has_any:
            return None
        raise
    return program_mark() + zlib.compress(made.getvalue(), level=1)


def copied_desk(desk: VenueDesk, *, stand_in: EventStrategy) -> VenueDesk:
    """Return a copy of a desk, for what must not touch it; `stand_in` is called back there."""
    made, columns = io.BytesIO(), list[pickle.PickleBuffer]()
    keeper = _Keeper(made, protocol=5, buffer_callback=columns.append)
    called = [book.callbacks.strategy for book in desk.books if book.callbacks is not None]
    anchors = [*_anchors(desk), *called]
    keeper.anchors = {id(one): number for number, one in enumerate(anchors)}
    keeper.own = _own_modules(desk)
    keeper.dump(desk)
    anchors[len(anchors) - len(called) :] = [stand_in] * len(called)
    reader = _Reader(io.BytesIO(made.getvalue()), buffers=[bytearray(one.raw()) for one in columns])
    reader.anchors, reader.own = anchors, keeper.own
    found = reader.load()
    assert isinstance(found, VenueDesk)
    return found


def thaw_desk(state: bytes, fresh: VenueDesk) -> VenueDesk | None:
    """Return the desk as it was; None where another program wrote its state.

    Parameters
    ----------
    fresh : VenueDesk
        Of the same run, as it was when it began; what is not kept is taken from it.

    Raises
    ------
    StorageError
        If the state holds what no desk does.
    """
    mark = program_mark()
    if not state.startswith(mark):
        return None
    reader = _Reader(io.BytesIO(zlib.decompress(state[len(mark) :])))
    reader.anchors = list(_anchors(fresh))
    reader.own = _own_modules(fresh)
    found = reader.load()
    if not isinstance(found, VenueDesk):
        raise StorageError("a segment of the run's log begins with what is no state of a run")
    return found


@cache
def program_mark() -> bytes:
    """Return what tells this program from any other: a digest of all that a desk is made of."""
    digest = hashlib.sha256()
    spec = importlib.util.find_spec("openalpha")
    assert spec is not None and spec.origin is not None, "a package has a place"
    root = Path(spec.origin).parent
    for part in _PARTS:
        for path in sorted((root / part).rglob("*.py")):
            digest.update(str(path.relative_to(root)).encode())
            digest.update(path.read_bytes())
    return b"desk1 " + digest.hexdigest()[:24].encode() + b" "


def _anchors(desk: VenueDesk) -> Iterator[object]:
    """Yield what is not kept, always in the same order."""
    yield desk.plan
    for book in desk.books:
        if book.mind is not None:
            yield from (book.mind.thinker.strategy, book.mind.thinker.params)
        if book.callbacks is not None:
            yield book.callbacks.strategy.params


def _own_modules(desk: VenueDesk) -> frozenset[str]:
    """Return the modules of strategies of callbacks: their objects are kept with what they hold.

    They are what the run began with, to the byte, or the run does not go on.
    """
    found = (book.callbacks for book in desk.books)
    return frozenset(type(one.strategy).__module__ for one in found if one is not None)


class _Keeper(pickle.Pickler):
    anchors: dict[int, int]
    own: frozenset[str]

    def persistent_id(self, obj: object) -> int | None:
        return self.anchors.get(id(obj))

    def reducer_override(self, obj: object) -> Any:
        """Keep no class or function that would not be read again."""
        if isinstance(obj, type | FunctionType) and not _is_kept(obj, self.own):
            raise pickle.PicklingError(f"{obj.__module__}.{obj.__qualname__} cannot be kept")
        return NotImplemented


class _Reader(pickle.Unpickler):
    anchors: list[object]
    own: frozenset[str]

    def persistent_load(self, pid: int) -> object:
        return self.anchors[pid]

    def find_class(self, module: str, name: str) -> Any:
        if _is_known(module, name, self.own):
            return super().find_class(module, name)
        raise StorageError(f"a segment of the run's log begins with a {module}.{name}; restore it")


def _is_known(module: str, name: str, own: frozenset[str]) -> bool:
    root = module.partition(".")[0]
    return root in _ALLOWED or module in own or (root == "builtins" and name in _PLAIN)


def _is_kept(one: type | FunctionType, own: frozenset[str]) -> bool:
    return _is_known(one.__module__, one.__qualname__, own) and "<" not in one.__qualname__
