"""What `openalpha doctor` looks at. Each check returns a finding; none raises, none repairs."""

import os
import platform
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from openalpha.core.clock import DAY_MS, Clock, SystemClock, format_ms, parse_ms
from openalpha.core.errors import OpenAlphaError
from openalpha.settings import LAYOUT_VERSION, default_home, find_home, load_settings, read_home
from openalpha.settings.home import HomeStatus

__all__ = ["Finding", "examine"]

# This program did not exist before; a clock that says so is wrong.
_EARLIEST = parse_ms("2026-01-01")
_LATEST = _EARLIEST + 30 * 366 * DAY_MS
_MINIMUM_FREE_GB = 1.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: its name, whether it passed, what was found, and what to do if it failed."""

    name: str
    is_fine: bool
    found: str
    advice: str = ""


def examine(
    config: Path | None,
    overrides: Sequence[str],
    *,
    environ: Mapping[str, str],
    clock: Clock | None = None,
) -> list[Finding]:
    """Look at this machine, the home and the settings.

    Parameters
    ----------
    config, overrides, environ
        As for `openalpha.settings.load_settings`.
    clock : Clock or None
        Where "now" comes from; the machine's clock when None.

    Returns
    -------
    list of Finding
        In the order they are shown. A broken check is a failed finding, never an exception.
    """
    home = _place_of_home(config, overrides, environ)
    findings = [_python(), *_packages(), _processor(), _clock(clock or SystemClock())]
    findings += [_settings(config, overrides, environ), _layout(home), _writable(home), _disk(home)]
    findings += _kernel_cache()
    return findings


def _place_of_home(
    config: Path | None, overrides: Sequence[str], environ: Mapping[str, str]
) -> Path:
    try:
        return find_home(config, overrides, environ=environ)
    except OpenAlphaError:
        return default_home()  # the finding about the settings says why


def _python() -> Finding:
    is_fine = sys.version_info >= (3, 11)
    advice = "" if is_fine else "install Python 3.11 or newer and run `make clean run`"
    return Finding("python", is_fine, f"{platform.python_version()} ({sys.executable})", advice)


def _packages() -> Iterator[Finding]:
    names = [text.split(";")[0] for text in requires("openalpha") or () if "extra ==" not in text]
    yield Finding("openalpha", True, version("openalpha"))
    missing = []
    found = []
    for text in names:
        name = (
            "".join(text.partition(mark)[0] for mark in [" "]).split(">")[0].split("=")[0].strip()
        )
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    yield Finding(
        "packages",
        not missing,
        f"missing: {', '.join(missing)}" if missing else ", ".join(found),
        "run `make run`, it installs what the lock file names" if missing else "",
    )


def _processor() -> Finding:
    try:
        from llvmlite import binding

        features = binding.get_host_cpu_features()
        widest = [
            name for name in ("avx512f", "avx2", "avx", "sse4.2", "neon") if features.get(name)
        ]
        name = binding.get_host_cpu_name()
    except (ImportError, RuntimeError) as error:
        return Finding(
            "processor", False, str(error), "run `make clean run` to install llvmlite anew"
        )
    found = (
        f"{platform.machine()} {name}, {os.cpu_count()} cores, {widest[0] if widest else 'plain'}"
    )
    return Finding("processor", True, found)


def _clock(clock: Clock) -> Finding:
    now_ms = clock.now_ms()
    if not _EARLIEST <= now_ms <= _LATEST:
        return Finding("clock", False, format_ms(now_ms), "set this machine's clock (use NTP)")
    # The wall clock must run as the steady one does; a jump here is a machine being corrected.
    wall, steady = clock.now_ms(), time.monotonic_ns()
    time.sleep(0.05)
    drift_ms = (clock.now_ms() - wall) - (time.monotonic_ns() - steady) // 1_000_000
    is_fine = abs(drift_ms) < 1_000
    advice = "" if is_fine else "the clock jumps; let this machine keep time by NTP"
    return Finding("clock", is_fine, f"{format_ms(now_ms)}, steady to {abs(drift_ms)} ms", advice)


def _settings(config: Path | None, overrides: Sequence[str], environ: Mapping[str, str]) -> Finding:
    try:
        loaded = load_settings(config, overrides, environ=environ)
    except OpenAlphaError as error:
        return Finding(
            "settings", False, str(error), "edit them; `openalpha config check` tries again"
        )
    return Finding("settings", True, str(loaded.file or "no file, defaults only"))


def _layout(home: Path) -> Finding:
    try:
        state = read_home(home)
    except OpenAlphaError as error:
        return Finding("home", False, str(error), "name another home by OPENALPHA_HOME")
    advice = {
        HomeStatus.OLDER: "run `openalpha home migrate` once",
        HomeStatus.NEWER: "update OpenAlpha or name another home by OPENALPHA_HOME",
    }.get(state.status, "")
    found = {
        HomeStatus.MISSING: "not made yet; the first command that needs it makes it",
        HomeStatus.CURRENT: f"layout {state.version}",
    }.get(state.status, f"layout {state.version}, this program needs {LAYOUT_VERSION}")
    return Finding("home", not advice, f"{home}: {found}", advice)


def _writable(home: Path) -> Finding:
    place = _nearest_existing(home)
    is_fine = place.is_dir() and os.access(place, os.W_OK | os.X_OK)
    advice = "" if is_fine else "change its permissions or name another home by OPENALPHA_HOME"
    return Finding("home writable", is_fine, str(place), advice)


def _disk(home: Path) -> Finding:
    free_gb = shutil.disk_usage(_nearest_existing(home)).free / 1e9
    is_fine = free_gb >= _MINIMUM_FREE_GB
    advice = "" if is_fine else "free some space: a year of minute bars takes about 20 MB"
    return Finding("disk", is_fine, f"{free_gb:,.1f} GB free", advice)


def _nearest_existing(path: Path) -> Path:
    return next(place for place in (path, *path.parents) if place.exists())


def _kernel_cache() -> Iterator[Finding]:
    """Say whether the kernel is compiled; an empty cache is no fault, the first run fills it."""
    from openalpha.venue.kernel._compile import cache_dir

    folder = cache_dir()
    count = sum(1 for _ in folder.rglob("*.nbc")) if folder.is_dir() else 0
    place = _nearest_existing(folder)
    is_fine = os.access(place, os.W_OK | os.X_OK)
    found = f"{folder}: {count} compiled functions" if count else f"{folder}: empty"
    advice = "make it writable or name another folder by OPENALPHA_KERNEL_CACHE"
    yield Finding("kernel cache", is_fine, found, "" if is_fine else advice)
