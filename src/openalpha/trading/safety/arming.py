"""Arming: live trading begins only under a configuration that a person signed, for a while.

What was signed (limits, breakers, strategies, key) stands in `arming/<environment>.json`; a run
whose own configuration differs is refused, naming each difference. Live is impossible in debug, in
tests and in CI, armed or not.
"""

import hashlib
import hmac
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from openalpha.core.clock import format_ms
from openalpha.core.errors import ConfigError, InputError, StorageError
from openalpha.engine.signals import EngineSettings
from openalpha.risk.limits import Limits, setting_of
from openalpha.risk.settings import BreakerSettings
from openalpha.store.atomic import write_bytes
from openalpha.store.audit import AuditTrail
from openalpha.store.exchange_key import ExchangeKey
from openalpha.store.frames import canonical_json
from openalpha.trading.run.settings import Handling
from openalpha.trading.safety.arming_codes import Codes
from openalpha.trading.safety.emergency_lock import refuse_if_locked

__all__ = [
    "Armed",
    "Terms",
    "arm",
    "disarm",
    "read_armed",
    "refuse_live_here",
    "require_armed",
]

LIVE = "live"
_OFF = ("", "0", "false", "no", "off")


@dataclass(frozen=True, slots=True)
class Terms:
    """What a person signs: everything that decides what may be traded and lost.

    Parameters
    ----------
    environment : str
    account_key : str
        Marks the exchange key without giving it away (`Terms.of` makes it).
    limits, breakers : mapping of str to str
    settings : mapping of str to str
        How large positions are made, and on what margin.
    strategies : tuple of (name, source hash, parameters)
    resume_after_restart : bool
        Whether a restart goes on by itself; otherwise it comes up halted.
    """

    environment: str
    account_key: str
    limits: Mapping[str, str]
    breakers: Mapping[str, str]
    settings: Mapping[str, str]
    strategies: tuple[tuple[str, str, str], ...]
    resume_after_restart: bool = False

    @classmethod
    def of(
        cls,
        environment: str,
        key: ExchangeKey,
        *,
        limits: Limits,
        breakers: BreakerSettings,
        settings: EngineSettings,
        strategies: Sequence[tuple[str, str, Mapping[str, Any]]],
        handling: Handling | None = None,
        resume_after_restart: bool = False,
    ) -> "Terms":
        """Make the terms of a configuration; limits as they hold, within the bounds in code.

        Parameters
        ----------
        strategies : sequence of (name, source hash, parameters)
        handling : Handling, optional
            How money is shared and entries are placed; as settings begin by default.
        """
        handling = handling or Handling()
        sized = {f"sizing.{name}": value for name, value in asdict(settings.sizing).items()}
        sized |= {f"margin.{name}": value for name, value in asdict(settings.venue.margin).items()}
        sized |= {f"allocation.{name}": v for name, v in asdict(handling.allocation).items()}
        sized |= {f"execution.{name}": v for name, v in asdict(handling.execution).items()}
        return cls(
            environment,
            hashlib.sha256(f"openalpha {key.api_key} {key.url}".encode()).hexdigest()[:16],
            _texts(asdict(limits.held())),
            _texts(asdict(breakers)),
            _texts(sized),
            tuple(
                sorted(
                    (str(name), str(source), canonical_json(dict(params)).decode())
                    for name, source, params in strategies
                )
            ),
            resume_after_restart,
        )

    def differences(self, other: "Terms") -> list[str]:
        """Say how a run's terms differ from these, one sentence part each; empty: they do not.

        Leaving out a strategy is no difference: less than was signed may be traded.
        """
        said = []
        if self.account_key != other.account_key:
            said.append("the exchange key is another than the one armed")
        for group in ("limits", "breakers", "settings"):
            ours, theirs = getattr(self, group), getattr(other, group)
            for name in sorted({*ours, *theirs}):
                if (armed := ours.get(name)) != (has := theirs.get(name)):
                    setting = setting_of(name) if group == "limits" else f"{group}.{name}"
                    words = f"{setting} was armed at {armed or 'nothing'}, the run has "
                    said.append(words + (has or "nothing"))
        for name, source, params in other.strategies:
            known = [one for one in self.strategies if one[0] == name]
            if not known:
                said.append(f"strategy {name} was not armed")
            elif source not in [one[1] for one in known]:
                said.append(f"strategy {name} was edited since it was armed")
            elif params not in [one[2] for one in known]:
                said.append(f"strategy {name} was armed with {known[0][2]}, the run has {params}")
        return said


@dataclass(frozen=True, slots=True)
class Armed:
    """An arming that stands.

    Parameters
    ----------
    terms : Terms
    armed_ms, expires_ms : int
        UTC ms.
    persons : tuple of str
        Who gave a code.
    """

    terms: Terms
    armed_ms: int
    expires_ms: int
    persons: tuple[str, ...]

    def __str__(self) -> str:
        names = ", ".join(name for name, *_ in self.terms.strategies)
        return f"{names} until {format_ms(self.expires_ms)}, by {' and '.join(self.persons)}"


def refuse_live_here(environment: str, *, environ: Mapping[str, str]) -> None:
    """Raise where live trading must be impossible: in debug, in a test, in CI.

    Raises
    ------
    ConfigError
        If the environment is live and this is such a place.
    """
    if environment != LIVE:
        return
    found = ""
    if environ.get("CI", "").lower() not in _OFF:
        found = "CI (the variable CI is set)"
    elif "PYTEST_CURRENT_TEST" in environ or "PYTEST_VERSION" in environ:
        found = "a test"
    elif environ.get("OPENALPHA_DEBUG", "").lower() not in _OFF:
        found = "debug (the variable OPENALPHA_DEBUG is set)"
    elif sys.flags.dev_mode or sys.gettrace() is not None:
        found = "debug (a debugger or Python's development mode)"
    if found:
        raise ConfigError(f"live trading is impossible in {found}; there is no way around this")


def arm(
    home: Path,
    terms: Terms,
    *,
    codes: Codes,
    persons: Sequence[str],
    armed_ms: int,
    expires_ms: int,
) -> Armed:
    """Keep an arming, signed; whoever calls has checked the persons' codes.

    Raises
    ------
    InputError
        If the environment is locked.
    StorageError
        If the disk refuses; then nothing is armed.
    """
    refuse_if_locked(home, terms.environment)
    armed = Armed(terms, armed_ms, expires_ms, tuple(persons))
    AuditTrail(home).add(
        "arm",
        environment=terms.environment,
        persons=list(persons),
        expires_ms=expires_ms,
        strategies=[name for name, *_ in terms.strategies],
        resume_after_restart=terms.resume_after_restart,
    )
    content = _content(armed)
    signed = {"armed": content, "signature": _signature(content, codes)}
    write_bytes(_path(home, terms.environment), json.dumps(signed, indent=1).encode())
    return armed


def disarm(home: Path, environment: str, *, who: str) -> bool:
    """End an arming; return whether one stood."""
    path = _path(home, environment)
    if not path.exists():
        return False
    path.unlink(missing_ok=True)
    AuditTrail(home).add("disarm", environment=environment, by=who)
    return True


def read_armed(home: Path, environment: str, *, codes: Codes) -> Armed | None:
    """Return the arming that is kept, expired or not; None if none is.

    Raises
    ------
    InputError
        If it was changed since it was signed, or is damaged.
    StorageError
        If it cannot be read.
    """
    path = _path(home, environment)
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageError(f"{path} cannot be read ({error.strerror})") from None
    except ValueError:
        content = {}
    try:
        row, signature = content["armed"], str(content["signature"])
        is_signed = hmac.compare_digest(_signature(row, codes), signature)
        armed = _read(row)
    except (KeyError, TypeError, ValueError):
        is_signed = False
    if not is_signed or armed.terms.environment != environment:
        raise InputError(
            f"{path} was changed since it was signed; arm anew by `openalpha arm {environment}`"
        )
    return armed


def require_armed(
    home: Path, terms: Terms, *, codes: Codes, now_ms: int, environ: Mapping[str, str]
) -> Armed | None:
    """Return the arming under which a run may trade; None in environments that need none.

    Raises
    ------
    ConfigError
        If live is impossible here.
    InputError
        If the environment is locked, not armed, expired, or armed for something else.
    """
    environment = terms.environment
    refuse_live_here(environment, environ=environ)
    refuse_if_locked(home, environment)
    if environment != LIVE:
        return None
    armed = read_armed(home, environment, codes=codes)
    if armed is None:
        raise InputError("live is not armed; look at everything, then run `openalpha arm live`")
    if now_ms >= armed.expires_ms or now_ms < armed.armed_ms:
        raise InputError(
            f"live was armed from {format_ms(armed.armed_ms)} to {format_ms(armed.expires_ms)}; "
            "run `openalpha arm live` again"
        )
    differing = armed.terms.differences(terms)
    if differing:
        raise InputError(f"{'; '.join(differing)}: arm anew by `openalpha arm live`")
    return armed


def _path(home: Path, environment: str) -> Path:
    return home / "arming" / f"{environment}.json"


def _texts(row: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in row.items()}


def _content(armed: Armed) -> dict[str, Any]:
    # As JSON gives it back, so that what is signed is what is read.
    content: dict[str, Any] = json.loads(json.dumps(asdict(armed)))
    return content


def _signature(content: Any, codes: Codes) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hmac.new(codes.signing_key(), text.encode(), hashlib.sha256).hexdigest()


def _read(row: Mapping[str, Any]) -> Armed:
    terms = Terms(**row["terms"])
    strategies = tuple(
        (str(name), str(source), str(params)) for name, source, params in terms.strategies
    )
    persons = tuple(str(person) for person in row["persons"])
    terms = replace(terms, strategies=strategies)
    return Armed(terms, int(row["armed_ms"]), int(row["expires_ms"]), persons)
