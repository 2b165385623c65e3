"""The error tree: what a caller does follows from the class."""

import inspect

import pytest

from openalpha.core import errors


@pytest.mark.parametrize("name", errors.__all__)
def test_every_error_is_ours_and_says_what_to_do(name):
    cls = getattr(errors, name)
    assert issubclass(cls, errors.OpenAlphaError)
    assert inspect.getdoc(cls)
    assert name in (errors.__doc__ or "")


def test_the_place_stands_before_the_message():
    error = errors.ConfigError("was 7, expected 1 to 5", where="costs.spread_bps")
    assert str(error) == "costs.spread_bps: was 7, expected 1 to 5"
    assert (error.message, error.where) == ("was 7, expected 1 to 5", "costs.spread_bps")
    assert str(errors.DataError("no rows")) == "no rows"


def test_settings_and_names_are_the_user_s_to_edit():
    assert issubclass(errors.ConfigError, errors.InputError)
    assert issubclass(errors.UnknownName, errors.InputError)
    assert issubclass(errors.LookAheadError, errors.DataError)
    assert not issubclass(errors.DataError, errors.InputError)
