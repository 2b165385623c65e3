"""The one place that says how kernel code is compiled and where its machine code is cached.

numba's cache notices neither an edited callee nor a changed option, so the cache folder carries the
hash of every compiled source and of the options: an edit anywhere compiles everything afresh.
"""

import hashlib
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba import njit, types
from numba.core import cgutils
from numba.core.compiler import Compiler
from numba.extending import intrinsic

from openalpha.venue.kernel._cached import look_first
from openalpha.venue.kernel._numba_inside import kernel_passes, plain_type, quick_and_plain

__all__ = ["cache_dir", "compiled", "entry", "fetch_ahead", "inlined", "source_hash"]

F = TypeVar("F", bound=Callable[..., Any])

# No array reference counting (`_nrt`): state is owned by Python and only lent to compiled code,
# which never allocates. No fastmath: same input, same bytes. Decision 0006.
_OPTIONS: dict[str, Any] = {"nogil": True, "_nrt": False, "error_model": "numpy"}

_PACKAGE = Path(__file__).resolve().parents[2]
_SOURCES = ("venue/kernel", "engine/compiled")


def source_hash() -> str:
    """Return the hash of all compiled sources, of the options and of numba's version."""
    digest = hashlib.sha256(repr(sorted(_OPTIONS.items())).encode())
    digest.update(numba.__version__.encode())
    for folder in _SOURCES:
        for path in sorted((_PACKAGE / folder).glob("*.py")):
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def cache_dir() -> Path:
    """Return the folder of this version's machine code.

    `OPENALPHA_KERNEL_CACHE` names another parent folder; otherwise it lies beside the user's other
    caches (`XDG_CACHE_HOME`, else `~/.cache`).
    """
    parent = os.environ.get("OPENALPHA_KERNEL_CACHE")
    if parent:
        return Path(parent) / source_hash()
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "openalpha" / "kernel" / source_hash()


_CACHE = str(cache_dir())


class _Plain(Compiler):
    """Compiles with plain indices, in the steps that the kernel needs."""

    def compile_extra(self, function: Any) -> Any:
        with quick_and_plain():
            return super().compile_extra(function)  # type: ignore[no-untyped-call]  # numba's own

    def define_pipelines(self) -> Any:
        return [kernel_passes()]


class _Inner(_Plain):
    """Compiles a function up to its LLVM code and leaves optimising to the entry that links it.

    numba would optimise and emit machine code for every function and again for each of its callers:
    a cold compile of the kernel took minutes instead of seconds.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)  # type: ignore[no-untyped-call]  # numba's own
        self.state.flags.no_compile = True

    def define_pipelines(self) -> Any:
        pipelines = super().define_pipelines()
        library = self.state.targetctx.codegen().create_library(self.state.func_id.func_qualname)
        library.enable_object_caching()
        library._optimize_final_module = _nothing
        library._finalize_final_module = partial(_close_library, library)
        self.state.library = library
        return pipelines


def _nothing() -> None:
    """Do nothing."""


def _close_library(library: Any) -> None:
    """Mark a library as ready to be linked, without machine code of its own."""
    library._finalize_dynamic_globals()
    library._finalized = True


def _for_compiled_callers(dispatcher: Any) -> Any:
    """Let compiled callers share one version, whatever constants they call with."""
    template = dispatcher.get_call_template

    def get_call_template(args: tuple[Any, ...], kws: dict[str, Any]) -> Any:
        return template(
            tuple(plain_type(arg) for arg in args),
            {name: plain_type(arg) for name, arg in kws.items()},
        )

    def add_overload(result: Any) -> None:
        # There is no machine code to enter from Python: callers find the function by a mark.
        mark = object()
        dispatcher.targetctx.insert_user_function(mark, result.fndesc, [result.library])
        dispatcher.overloads[tuple(result.signature.args)] = result._replace(entry_point=mark)

    dispatcher.get_call_template = get_call_template
    dispatcher.add_overload = add_overload
    return dispatcher


_INNER: dict[str, Any] = {
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
    "pipeline_class": _Inner,
}


def compiled(function: F) -> F:
    """Compile a function of the kernel that only compiled code calls."""
    # Said, for it is inherited: what an inlined function calls would be inlined with it, and so on.
    wrapped: F = _for_compiled_callers(njit(forceinline=False, **_INNER, **_OPTIONS)(function))
    return wrapped


def inlined(function: F) -> F:
    """Compile a small function that is always inlined into its callers."""
    wrapped: F = _for_compiled_callers(njit(forceinline=True, **_INNER, **_OPTIONS)(function))
    return wrapped


def _fetch_ahead(_typing: Any, array: Any, place: Any) -> Any:
    """Ask for the memory of `array` at a flat place, to be there when it is read. Reads nothing."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        ir: Any = vars(cgutils)["ir"]
        held = context.make_array(signature.args[0])(context, builder, args[0])
        pointer = builder.bitcast(builder.gep(held.data, [args[1]]), ir.IntType(8).as_pointer())
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [pointer.type, number, number, number])
        find: Any = cgutils.get_or_insert_function
        function = find(builder.module, kind, "llvm.prefetch.p0")
        builder.call(function, [pointer, number(0), number(3), number(1)])
        return context.get_dummy_value()

    return types.void(array, types.intp), codegen


fetch_ahead: Any = intrinsic(_fetch_ahead)


class _Outer(_Plain):
    """Compiles an entry and makes all it links private to it.

    Nobody else can call what is private, so the optimiser drops arguments that are not read,
    passes what is left in registers and inlines what has one caller: the pass over history takes
    half the time.
    """

    def define_pipelines(self) -> Any:
        pipelines = super().define_pipelines()
        library = self.state.targetctx.codegen().create_library(self.state.func_id.func_qualname)
        library.enable_object_caching()
        library._optimize_final_module = partial(_optimise_privately, library)
        self.state.library = library
        return pipelines


def _optimise_privately(library: Any) -> None:
    """Make linked functions private to the module, then optimise it, once."""
    module = library._final_module
    for function in module.functions:
        kinds = type(function.linkage)
        if not function.is_declaration and function.linkage == kinds.linkonce_odr:
            function.linkage = kinds.internal
    # numba runs a cheaper round before, to bring its reference counts together: there are none.
    passes, builder = library._codegen._module_pass_manager()
    passes.run(module, builder)


_OUTER: dict[str, Any] = {"no_cfunc_wrapper": True, "pipeline_class": _Outer}


def entry(function: F) -> F:
    """Compile a function that Python calls; its machine code is cached under `cache_dir()`."""
    config: Any = numba.config
    before = config.CACHE_DIR
    config.CACHE_DIR = _CACHE
    try:
        wrapped: F = njit(cache=True, **_OUTER, **_OPTIONS)(function)
        look_first(wrapped, function)
        return wrapped
    finally:
        config.CACHE_DIR = before
