"""Reads the settings from their four sources and checks them; all faults come in one message."""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from openalpha.settings.checking import Given, Source, build_checked, nearest, raise_faults
from openalpha.settings.groups import Settings
from openalpha.settings.home import CONFIG_NAME, default_home
from openalpha.settings.schema import group_keys

__all__ = ["LoadedSettings", "find_home", "load_settings"]

PREFIX = "OPENALPHA_"
HOME_VARIABLE = "OPENALPHA_HOME"
# Variables that steer tests, builds and caches; they are no settings.
_RESERVED = (
    "OPENALPHA_TEST_",
    "OPENALPHA_WRITE_GOLDEN",
    "OPENALPHA_KERNEL_CACHE",
    "OPENALPHA_PASSPHRASE",
    "OPENALPHA_VAULT_KEY",
    "OPENALPHA_DEBUG",
)


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """The settings and where each came from.

    Attributes
    ----------
    settings : Settings
        The frozen groups.
    home : Path
        The home folder in force; it need not exist yet.
    file : Path or None
        The TOML file that was read, None when there was none.
    sources : mapping of str to Source
        Dotted key to the source that won; keys left at their default are absent.
    """

    settings: Settings
    home: Path
    file: Path | None
    sources: Mapping[str, Source]


def load_settings(
    config: Path | None = None,
    overrides: Sequence[str] = (),
    *,
    environ: Mapping[str, str],
) -> LoadedSettings:
    """Read every source once, check everything, and return frozen settings.

    Parameters
    ----------
    config : Path or None
        A TOML file to read instead of `openalpha.toml` in the home folder.
    overrides : sequence of str
        `KEY=VALUE` texts of `--set`, dotted keys as in the TOML file; the last one wins.
    environ : mapping of str to str
        The environment: `OPENALPHA_HOME`, and `OPENALPHA_COSTS__TAKER_BPS` for `costs.taker_bps`.

    Raises
    ------
    ConfigError
        If any source is unreadable or holds unknown keys, wrong types or values out of range.
        Every fault is listed in the one message, with the nearest valid key.

    Examples
    --------
    >>> loaded = load_settings(environ={"OPENALPHA_HOME": "/nowhere"})
    >>> loaded.home.name, loaded.file
    ('nowhere', None)
    """
    faults: list[str] = []
    from_options = list(_from_options(overrides, faults))
    from_environment = list(_from_environment(environ, faults))
    if config is None:
        home = _home_of([*from_environment, *from_options])
        file = home / CONFIG_NAME
        from_file = list(_from_file(file, faults)) if file.is_file() else []
        read = file if file.is_file() else None
    else:
        from_file = list(_from_file(config, faults))
        home = _home_of([*from_file, *from_environment, *from_options])
        read = config
    given = [*from_file, *from_environment, *from_options]
    known = [item for item in given if _is_known(item, is_home_file=config is None, faults=faults)]
    last = {item.dotted: item for item in known}
    groups = {}
    for group, keys in group_keys().items():
        values = {key.name: last[key.dotted] for key in keys.values() if key.dotted in last}
        groups[group] = build_checked(_group_class(group), keys, given=values, faults=faults)
    raise_faults(faults)
    sources = {dotted: item.source for dotted, item in last.items()}
    return LoadedSettings(Settings(**groups), home, read, MappingProxyType(sources))


def find_home(
    config: Path | None = None,
    overrides: Sequence[str] = (),
    *,
    environ: Mapping[str, str],
) -> Path:
    """Return only where the home is, whatever state the other settings are in.

    Parameters
    ----------
    config, overrides, environ
        As for `load_settings`.

    Examples
    --------
    >>> find_home(overrides=["home.path=/elsewhere"], environ={}).name
    'elsewhere'
    """
    unsaid: list[str] = []
    from_file = [] if config is None else list(_from_file(config, unsaid))
    from_environment = _from_environment(environ, unsaid)
    return _home_of([*from_file, *from_environment, *_from_options(overrides, unsaid)])


def _from_options(overrides: Iterable[str], faults: list[str]) -> Iterable[Given]:
    for text in overrides:
        dotted, equals, value = text.partition("=")
        if not equals:
            faults.append(f"--set {text}: write KEY=VALUE, e.g. --set costs.taker_bps=5.5")
            continue
        yield _from_text(dotted.strip(), value.strip(), Source.OPTION, f"--set {dotted.strip()}")


def _from_environment(environ: Mapping[str, str], faults: list[str]) -> Iterable[Given]:
    for variable, value in sorted(environ.items()):
        if not variable.startswith(PREFIX) or variable.startswith(_RESERVED):
            continue
        if variable == HOME_VARIABLE:
            if value:
                yield _from_text("home.path", value, Source.ENVIRONMENT, variable)
            continue
        dotted = variable.removeprefix(PREFIX).lower().replace("__", ".")
        if "." not in dotted:
            faults.append(
                f"{variable} is no setting: write OPENALPHA_GROUP__KEY, e.g. OPENALPHA_COSTS__TIER"
            )
            continue
        yield _from_text(dotted, value, Source.ENVIRONMENT, variable)


def _from_file(file: Path, faults: list[str]) -> Iterable[Given]:
    try:
        content = tomllib.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        faults.append(f"{file}: there is no such file")
        return
    except OSError as error:
        faults.append(f"{file}: cannot be read ({error.strerror})")
        return
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        faults.append(f"{file}: is not valid TOML: {error}")
        return
    for group, values in content.items():
        if not isinstance(values, dict):
            faults.append(f"{file}: {group} stands outside a group; write it below a [group] line")
            continue
        for name, value in values.items():
            yield Given(f"{group}.{name}", value, Source.FILE, str(file))


def _from_text(dotted: str, text: str, source: Source, where: str) -> Given:
    """Read a value as TOML would; what is not TOML is a text without quotes."""
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    return Given(dotted, value, source, where, text)


def _home_of(given: Sequence[Given]) -> Path:
    named = [item for item in given if item.dotted == "home.path"]
    if not named:
        return default_home()
    return Path(str(named[-1].value)).expanduser().absolute()


def _is_known(item: Given, *, is_home_file: bool, faults: list[str]) -> bool:
    group, _, name = item.dotted.partition(".")
    keys = group_keys()
    key = keys.get(group, {}).get(name)
    if key is None:
        every = [each.dotted for names in keys.values() for each in names.values()]
        faults.append(f"{item.where}: {item.dotted} is not a setting{nearest(item.dotted, every)}")
        return False
    if is_home_file and item.source is Source.FILE and key.metadata.get("outside_file"):
        faults.append(
            f"{item.where}: {item.dotted} cannot stand in the file of the home it names; "
            f"use {HOME_VARIABLE} or --set"
        )
        return False
    return True


def _group_class(group: str) -> type:
    cls = Settings.__dataclass_fields__[group].default_factory
    assert isinstance(cls, type)
    return cls
