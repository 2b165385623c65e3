"""Every setting says what it means, and the groups cost nothing to import."""

import pytest

from openalpha.settings.schema import Key, group_keys

KEYS = [key for keys in group_keys().values() for key in keys.values()]
KNOWN = {"help", "unit", "min", "max", "choices", "outside_file"}


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.dotted)
def test_a_setting_describes_itself(key: Key) -> None:
    assert key.metadata.get("help"), f"{key.dotted} needs metadata: help, and unit where it has one"
    assert not set(key.metadata) - KNOWN, f"unknown metadata: {set(key.metadata) - KNOWN}"
    assert not key.metadata["help"].endswith("."), "no full stop: the text goes into one line"


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.dotted)
def test_a_default_obeys_its_own_bounds(key: Key) -> None:
    low, high = key.metadata.get("min"), key.metadata.get("max")
    if key.default is not None:
        assert low is None or key.default >= low
        assert high is None or key.default <= high
        assert key.default in key.metadata.get("choices", [key.default])
