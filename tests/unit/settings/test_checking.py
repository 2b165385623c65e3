"""One group built from a mapping: types, bounds, choices and the message that lists all faults."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest
from pydantic import SecretStr

from openalpha.core.errors import ConfigError
from openalpha.settings import build_group


@dataclass(frozen=True, slots=True)
class Sample:
    """A group with every kind of field a package may declare."""

    taker_bps: float = field(default=5.5, metadata={"unit": "bps", "min": -10, "max": 100})
    tier: str = field(default="VIP0", metadata={"choices": ("VIP0", "VIP1")})
    mode: Literal["cross", "isolated"] = "cross"
    is_on: bool = True
    count: int = 3
    names: tuple[str, ...] = ()
    folder: Path | None = None
    key: SecretStr = field(default_factory=lambda: SecretStr(""))
    high: int = field(default=9, metadata={"min": 0})

    def __post_init__(self) -> None:
        if self.high < self.count:
            raise ConfigError(f"sample.high was {self.high}, expected at least sample.count")


def build(**values: object) -> Sample:
    return build_group(Sample, "sample", values)


@pytest.mark.parametrize(
    ("name", "given", "kept"),
    [
        ("taker_bps", 5, 5.0),
        ("taker_bps", -10, -10.0),
        ("taker_bps", 100, 100.0),
        ("tier", "VIP1", "VIP1"),
        ("mode", "isolated", "isolated"),
        ("is_on", False, False),
        ("names", ["a", "b"], ("a", "b")),
        ("folder", "a/b", Path("a/b")),
        ("folder", None, None),
    ],
)
def test_good_values_keep_their_type(name: str, given: object, kept: object) -> None:
    value = getattr(build(**{name: given}), name)
    assert value == kept
    assert type(value) is type(kept)


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("taker_bps", "5.5", 'sample.taker_bps was "5.5", input should be a valid number'),
        ("taker_bps", True, "sample.taker_bps was true"),
        ("taker_bps", -10.1, "expected at least -10 bps"),
        ("taker_bps", 100.1, "expected at most 100 bps"),
        ("taker_bps", float("nan"), "expected a finite number"),
        ("taker_bps", float("inf"), "expected a finite number"),
        ("tier", "VIP9", "expected one of VIP0, VIP1"),
        ("mode", "none", "'cross' or 'isolated'"),
        ("is_on", 1, "sample.is_on was 1"),
        ("count", 3.5, "sample.count was 3.5"),
        ("names", "a", "sample.names"),
        ("high", 2, "sample.high was 2, expected at least sample.count"),
    ],
)
def test_bad_values_are_refused_with_found_and_expected(
    name: str, given: object, said: str
) -> None:
    with pytest.raises(ConfigError, match="sample") as caught:
        build(**{name: given})
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_fault_stands_in_one_message() -> None:
    with pytest.raises(ConfigError) as caught:
        build(taker_bsp=5, count="many", tier="gold")
    text = str(caught.value)
    assert "3 settings cannot be used" in text
    assert "sample.taker_bsp is not a setting (did you mean sample.taker_bps?)" in text
    assert "sample.count" in text
    assert "sample.tier" in text


def test_a_secret_is_never_shown() -> None:
    assert "hunter2" not in repr(build(key="hunter2"))
    with pytest.raises(ConfigError) as caught:
        build(key=["hunter2"])
    assert "hunter2" not in str(caught.value)
