"""The home folder: where it is, which layout it has, and how an older one is brought forward.

The layout version is one number in the file `LAYOUT`. Migration steps are renames inside the
home, each safe to repeat, and the number is written last: a migration killed half-way is
finished by running it again.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from openalpha.core.errors import ConfigError, StorageError

__all__ = [
    "CONFIG_NAME",
    "LAYOUT_VERSION",
    "HomeState",
    "HomeStatus",
    "default_home",
    "migrate_home",
    "prepare_home",
    "read_home",
]

LAYOUT_VERSION = 1
CONFIG_NAME = "openalpha.toml"
_LAYOUT_NAME = "LAYOUT"


class HomeStatus(StrEnum):
    """How a home folder stands to this version of the program."""

    MISSING = "missing"
    CURRENT = "current"
    OLDER = "older"
    NEWER = "newer"


@dataclass(frozen=True, slots=True)
class HomeState:
    """A home folder and its layout version (None while nothing was ever written there)."""

    path: Path
    version: int | None

    @property
    def status(self) -> HomeStatus:
        """How this home stands to the program's own layout version."""
        if self.version is None:
            return HomeStatus.MISSING
        if self.version == LAYOUT_VERSION:
            return HomeStatus.CURRENT
        return HomeStatus.OLDER if self.version < LAYOUT_VERSION else HomeStatus.NEWER


def default_home() -> Path:
    """Return the folder used when nobody names one: the system's place for a user's data."""
    from platformdirs import user_data_path

    return user_data_path("openalpha", appauthor=False)


def read_home(path: Path) -> HomeState:
    """Return what stands at `path`, changing nothing.

    Raises
    ------
    ConfigError
        If `path` is a file, or its layout file does not hold a number.
    StorageError
        If it cannot be read.
    """
    if path.exists() and not path.is_dir():
        raise ConfigError(f"{path} is a file, not a folder; name another home by OPENALPHA_HOME")
    try:
        text = (path / _LAYOUT_NAME).read_text("utf-8").strip()
    except FileNotFoundError:
        return HomeState(path, 0 if _is_version_0(path) else None)
    except UnicodeDecodeError:
        text = "no text"
    except OSError as error:
        raise StorageError(
            f"{path / _LAYOUT_NAME} cannot be read ({error.strerror}); "
            "mend it or name another home by OPENALPHA_HOME"
        ) from None
    if not (text.isascii() and text.isdigit()):
        raise ConfigError(
            f"{path / _LAYOUT_NAME} holds {text[:20]!r}, expected a number such as "
            f"{LAYOUT_VERSION}; restore it from a backup or name another home"
        )
    return HomeState(path, int(text))


def prepare_home(path: Path) -> Path:
    """Return `path` as a home this program may write to, creating it when there is none.

    Raises
    ------
    ConfigError
        If the home has an older layout (and must be migrated first) or a newer one.
    StorageError
        If it cannot be created.
    """
    state = read_home(path)
    if state.status is HomeStatus.OLDER:
        raise ConfigError(
            f"the home {path} has layout {state.version}, this program needs {LAYOUT_VERSION}; "
            "run `openalpha home migrate` once"
        )
    _refuse_newer(state)
    if state.status is HomeStatus.MISSING:
        _write_version(path, LAYOUT_VERSION)
    return path


def migrate_home(path: Path) -> list[str]:
    """Bring a home to the current layout and return what was done, one sentence a step.

    Raises
    ------
    ConfigError
        If the home is newer than the program, or a step finds something in its way.
    StorageError
        If the disk refuses; what was done stays done, and running it again goes on.
    """
    state = read_home(path)
    _refuse_newer(state)
    if state.version is None:
        prepare_home(path)
        return [f"created {path} with layout {LAYOUT_VERSION}"]
    done = []
    for version in range(state.version, LAYOUT_VERSION):
        try:
            done += _STEPS[version](path)
        except OSError as error:
            raise StorageError(
                f"the home {path} could not be migrated: {error.strerror}; "
                "nothing was lost, run `openalpha home migrate` again once the cause is gone"
            ) from None
        _write_version(path, version + 1)
        done.append(f"layout {version} is now layout {version + 1}")
    return done


def _refuse_newer(state: HomeState) -> None:
    if state.status is HomeStatus.NEWER:
        raise ConfigError(
            f"the home {state.path} has layout {state.version}, newer than the {LAYOUT_VERSION} "
            "this program knows; update OpenAlpha or name another home by OPENALPHA_HOME"
        )


def _write_version(path: Path, version: int) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
        partial = path / f"{_LAYOUT_NAME}.{os.getpid()}.tmp"
        partial.write_text(f"{version}\n", "utf-8")
        partial.replace(path / _LAYOUT_NAME)
    except OSError as error:
        raise StorageError(
            f"the home {path} cannot be written ({error.strerror}); "
            "free space or permissions, or name another home by OPENALPHA_HOME"
        ) from None


# Layout 0: before the number existed, settings stood in config.toml and the lake in data/.
_RENAMES_0 = (("config.toml", CONFIG_NAME), ("data", "lake"))


def _is_version_0(path: Path) -> bool:
    return any((path / old).exists() for old, _ in _RENAMES_0)


def _from_0_to_1(path: Path) -> list[str]:
    done = []
    for old, new in _RENAMES_0:
        source, target = path / old, path / new
        if not source.exists():
            continue
        if target.exists():
            raise ConfigError(
                f"the home {path} has both {old} and {new}; move one of them away, "
                "then run `openalpha home migrate` again"
            )
        source.rename(target)
        done.append(f"renamed {old} to {new}")
    return done


_STEPS: dict[int, Callable[[Path], list[str]]] = {0: _from_0_to_1}
