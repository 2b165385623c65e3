"""Second factors: persons enrol an authenticator, and each of its codes counts once.

Secrets lie in a vault of their own, `arming/keys.vault`, sealed like the exchange keys.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openalpha.core.clock import MINUTE_MS, SECOND_MS
from openalpha.core.errors import InputError
from openalpha.store.atomic import write_bytes
from openalpha.store.exchange_key import ExchangeKey
from openalpha.store.keys import Vault

__all__ = ["Codes", "Enrolment"]

_STEP_MS = 30 * SECOND_MS
_WINDOW = (-1, 0, 1)
_MOST_WRONG, _WAIT_MS = 5, 15 * MINUTE_MS
_ISSUER = "OpenAlpha"


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What a person types or scans into an authenticator, once."""

    person: str
    secret: str
    uri: str

    def __repr__(self) -> str:
        return f"Enrolment(person={self.person!r})"


class Codes:
    """The enrolled persons of a home.

    Parameters
    ----------
    home : Path
    environ : mapping of str to str
        Where the vault looks for its own key.
    """

    def __init__(self, home: Path, *, environ: Mapping[str, str]) -> None:
        self._folder = home / "arming"
        self._vault = Vault(self._folder, environ=environ)

    def persons(self) -> list[str]:
        """Return who is enrolled."""
        names = self._vault.names()
        return [name.partition(".")[2] for name in names if name.startswith("totp.")]

    def begin(self, person: str) -> Enrolment:
        """Make a secret for a person; it counts once a code of it was shown to `finish`.

        Raises
        ------
        InputError
            If the name will not do, or the person is enrolled.
        """
        import pyotp

        if not person.isascii() or not person.replace("-", "").replace("_", "").isalnum():
            raise InputError(f"'{person}' is no name; use letters, digits, - and _")
        if person in self.persons():
            raise InputError(
                f"{person} is enrolled; `openalpha arm setup --replace` takes another "
                "authenticator for a code of the old one; if that is lost, move the home's folder "
                "arming away: then everybody enrols anew"
            )
        secret = pyotp.random_base32()
        pending = f"pending.{person}"
        key = ExchangeKey(person, secret, "totp:")
        self._vault.put(pending, key, replaces=pending in self._vault.names())
        uri = pyotp.TOTP(secret).provisioning_uri(name=person, issuer_name=_ISSUER)
        return Enrolment(person, secret, uri)

    def finish(self, person: str, code: str, *, now_ms: int) -> None:
        """Enrol a person whose authenticator shows the right code.

        Raises
        ------
        InputError
            If nothing was begun, or the code is wrong.
        """
        pending = f"pending.{person}"
        if pending not in self._vault.names():
            raise InputError(f"run `openalpha arm setup --person {person}` without a code first")
        key = self._vault.get(pending)
        step = _matching(key.secret, code, now_ms)
        if step is None:
            raise InputError("that code is wrong; check that the machine's clock is right")
        self._vault.put(f"totp.{person}", key)
        self._vault.remove(pending)
        self._note(person, used=step, wrong=[])

    def forget(self, person: str) -> None:
        """Take a person's enrolment away; who may do so is the caller's to check."""
        self._vault.remove(f"totp.{person}")

    def check(self, person: str, code: str, *, now_ms: int) -> None:
        """Return if a code is the person's now, and was not used before.

        Raises
        ------
        InputError
            If it is not; after five wrong ones in a quarter of an hour, none is looked at.
        """
        if person not in self.persons():
            known = ", ".join(self.persons()) or "nobody yet"
            raise InputError(f"'{person}' is not enrolled ({known}); run `openalpha arm setup`")
        kept = self._kept().get(person, {})
        wrong = [at for at in kept.get("wrong", []) if at > now_ms - _WAIT_MS]
        if len(wrong) >= _MOST_WRONG:
            raise InputError(
                f"{len(wrong)} wrong codes of {person} within 15 minutes; wait until they are over"
            )
        step = _matching(self._vault.get(f"totp.{person}").secret, code, now_ms)
        if step is None or step <= kept.get("used", -1):
            self._note(person, used=kept.get("used", -1), wrong=[*wrong, now_ms])
            said = "is wrong" if step is None else "was used already; wait for the next"
            raise InputError(f"that code {said}")
        self._note(person, used=step, wrong=[])

    def signing_key(self) -> bytes:
        """Return what arming is signed with, made at its first use."""
        import secrets

        if "signature" not in self._vault.names():
            self._vault.put("signature", ExchangeKey("signature", secrets.token_hex(32), "hmac:"))
        return bytes.fromhex(self._vault.get("signature").secret)

    @property
    def _counts(self) -> Path:
        return self._folder / "codes.json"

    def _kept(self) -> dict[str, dict[str, Any]]:
        try:
            return dict(json.loads(self._counts.read_bytes()))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError):
            raise InputError(
                f"{self._counts} cannot be read; restore it from a backup, or enrol anew"
            ) from None

    def _note(self, person: str, *, used: int, wrong: list[int]) -> None:
        rows = self._kept() | {person: {"used": used, "wrong": wrong}}
        write_bytes(self._counts, json.dumps(rows).encode())


def _matching(secret: str, code: str, now_ms: int) -> int | None:
    """Return the time step whose code it is, of the last, this and the next; None if none."""
    import hmac

    import pyotp

    digits = code.replace(" ", "")
    totp = pyotp.TOTP(secret)
    for offset in _WINDOW:
        step = now_ms // _STEP_MS + offset
        shown = totp.generate_otp(step)
        if hmac.compare_digest(shown.encode(), digits.encode()):
            return step
    return None
