"""What the kernel changes inside numba while it is compiled, and nowhere else: decision 0008.

Nothing here changes what a function means; it leaves out work of numba's that the kernel has no use
for. A change in numba shows as a failing or a slow compile.
"""

import operator
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from numba import types
from numba.core import cgutils, typed_passes, untyped_passes
from numba.core.compiler_machinery import PassManager
from numba.core.types.functions import BaseFunction

__all__ = ["kernel_passes", "plain_type", "quick_and_plain"]

_OPERATORS = frozenset(value for value in vars(operator).values() if callable(value))
_PLAIN = (types.Integer, types.Boolean, types.Float, types.Array)

_resolved: dict[Any, Any] = {}


def plain_type(numba_type: Any) -> Any:
    """Return a type without the constant numba may have noted in it."""
    return types.unliteral(numba_type)  # type: ignore[no-untyped-call]  # numba's own


def kernel_passes() -> Any:
    """Return numba's steps from byte code to machine code that plain functions need.

    Left out: closures, `with` blocks, array expressions, overloads to inline, literal arguments;
    the kernel has none, and numba walks through every function for each of them.
    """
    passes: Any = PassManager("kernel")  # type: ignore[no-untyped-call]  # numba's own
    for step, name in (
        (untyped_passes.TranslateByteCode, "read byte code"),
        (untyped_passes.FixupArgs, "arguments"),
        (untyped_passes.IRProcessing, "processing"),
        (untyped_passes.RewriteSemanticConstants, "constants"),
        (untyped_passes.DeadBranchPrune, "dead branches"),
        (untyped_passes.ReconstructSSA, "one assignment a variable"),
        (typed_passes.NopythonTypeInference, "types"),
        (typed_passes.PreLowerStripPhis, "no phi nodes"),
        (typed_passes.IRLegalization, "legal"),
        (typed_passes.AnnotateTypes, "annotated"),
        (typed_passes.NativeLowering, "lowered"),
        (typed_passes.NoPythonBackend, "finished"),
    ):
        passes.add_pass(step, name)
    passes.finalize()
    return passes


@contextmanager
def quick_and_plain() -> Iterator[None]:
    """Resolve each operator once for the same types, and compile `x[i]` as it stands.

    numba tries some twenty definitions for every `+` and every `x[i]` it meets, which was a third
    of a cold compile; and it tests every index for being negative, which made a quarter of the
    kernel's instructions: the kernel never counts from the end of an array.
    """
    from numba.np import arrayobj

    # Compiling a caller compiles what it calls: this is entered again within itself.
    functions: Any = BaseFunction
    usual = functions.get_call_type, arrayobj.fix_integer_index, arrayobj.basic_indexing
    if getattr(usual[0], "is_ours", False):
        yield
        return
    functions.get_call_type = _resolved_once(usual[0])
    arrayobj.fix_integer_index = _as_it_stands
    arrayobj.basic_indexing = _direct(usual[2])
    try:
        yield
    finally:
        functions.get_call_type, arrayobj.fix_integer_index, arrayobj.basic_indexing = usual


def _as_it_stands(context: Any, builder: Any, kind: Any, index: Any, _size: Any) -> Any:
    return context.cast(builder, index, kind, types.intp)


def _direct(usual: Callable[..., Any]) -> Callable[..., Any]:
    """Reach one number of a whole array by its place, without making a view of it first."""

    def basic_indexing(
        context: Any,
        builder: Any,
        kind: Any,
        array: Any,
        index_kinds: Any,
        indices: Any,
        **rest: Any,
    ) -> Any:
        is_one_number = kind.layout == "C" and len(indices) == kind.ndim
        if not is_one_number or not all(isinstance(each, types.Integer) for each in index_kinds):
            return usual(context, builder, kind, array, index_kinds, indices, **rest)
        place, *more = [
            context.cast(builder, index, each, types.intp)
            for index, each in zip(indices, index_kinds, strict=True)
        ]
        sizes: Any = cgutils.unpack_tuple
        for size, index in zip(
            sizes(builder, array.shape, kind.ndim)[1:] if more else (), more, strict=True
        ):
            place = builder.add(builder.mul(place, size), index)
        return builder.gep(array.data, [place]), [], []

    return basic_indexing


def _resolved_once(slow: Callable[..., Any]) -> Callable[..., Any]:
    """Let an operator on plain types be resolved once; everything else goes numba's usual way."""

    def get_call_type(self: Any, context: Any, args: Any, kws: Any) -> Any:
        if kws or not _is_operator(self.typing_key):
            return slow(self, context, args, kws)
        plain = tuple(plain_type(arg) for arg in args)
        if not all(isinstance(arg, _PLAIN) for arg in plain):
            return slow(self, context, args, kws)
        key = (self.typing_key, plain)
        if key not in _resolved:
            signature = slow(self, context, plain, {})
            _resolved[key] = signature, self._impl_keys[signature.args]
        signature, implementation = _resolved[key]
        self._impl_keys[signature.args] = implementation
        return signature

    vars(get_call_type)["is_ours"] = True
    return get_call_type


def _is_operator(key: Any) -> bool:
    return callable(key) and getattr(key, "__hash__", None) is not None and key in _OPERATORS
