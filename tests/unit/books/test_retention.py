"""How long records are kept: the later of two spans, and open while a parcel or loss is left."""

from datetime import date

import pytest

from openalpha.books.retention import keep_until


@pytest.mark.parametrize(
    ("year", "last_used", "lodged", "until"),
    [
        (2026, 2026, None, date(2033, 6, 30)),
        (2026, 2027, None, date(2033, 6, 30)),
        (2026, 2028, None, date(2034, 5, 15)),
        (2026, 2026, date(2026, 10, 31), date(2033, 6, 30)),
        (2026, 2026, date(2030, 10, 31), date(2035, 10, 31)),  # lodged four years late
        (2020, 2027, date(2028, 2, 29), date(2033, 3, 1)),
    ],
)
def test_the_later_span_holds(year: int, last_used: int, lodged: date | None, until: date) -> None:
    found = keep_until(year, last_used=last_used, lodged=lodged)
    assert (found.until, found.is_open) == (until, False)


def test_it_is_open_while_something_is_left() -> None:
    found = keep_until(2026, last_used=None)
    assert found.is_open
    assert found.until == date(2033, 6, 30)
    assert "some are left" in found.words
