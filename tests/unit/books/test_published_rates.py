"""Files of the RBA and the ECB: what a currency was worth in AUD, on which days, by whom."""

from decimal import Decimal
from pathlib import Path

import pytest

from openalpha.books.published_rates import PublishedRates, Stated, read_published
from openalpha.books.rates import Rate
from openalpha.core.clock import parse_ms
from openalpha.core.errors import InputError

RBA = (
    "F11.1  EXCHANGE RATES,,,\nTitle,A$1=USD,Trade-weighted Index,A$1=SDR\n"
    "Units,USD,Index,SDR\n03-Jan-2023,0.6828,61.40,0.5\n04-Jan-2023,,61.50,0.5\n"
)
ECB = "Date,USD,JPY,AUD,\n2025-10-31,1.1554,178.2,1.7654,\n2025-10-30,1.16,N/A,1.76,\n"
PORTAL = (
    "KEY,FREQ,CURRENCY,TIME_PERIOD,OBS_VALUE\n"
    "a,D,AUD,2025-10-31,1.7654\nb,D,USD,2025-10-31,1.1554\nc,D,USD,2025-10-30,1.2\n"
)
OWN = "coin,quote,time,rate,source\nXYZ,AUD,2025-10-31T10:00,2.5,an invoice\n"


def read(folder: Path, text: str) -> list[Stated]:
    path = folder / "rates.csv"
    path.write_text(text, "utf-8")
    return read_published(path)


def test_the_rba_says_dollars_for_one_australian(tmp_path: Path) -> None:
    (row,) = read(tmp_path, RBA)
    assert (row.coin, row.quote, row.publisher) == ("USD", "AUD", "RBA")
    assert row.rate == Decimal("1.464557703573520797")
    assert row.ts_ms == parse_ms("2023-01-03T00:00:00+11:00")
    assert row.source == "RBA F11.1 2023-01-03, A$1 = 0.6828 USD"


@pytest.mark.parametrize("text", [ECB, PORTAL])
def test_the_ecb_goes_over_the_euro(tmp_path: Path, text: str) -> None:
    found = {(r.coin, r.ts_ms): r.rate for r in read(tmp_path, text)}
    day = parse_ms("2025-10-31T00:00:00+01:00")
    assert found["EUR", day] == Decimal("1.7654")
    assert found["USD", day] == Decimal("1.527955686342392245")
    assert all(coin != "AUD" for coin, _ in found)


def test_own_rates_are_taken_as_they_stand(tmp_path: Path) -> None:
    assert read(tmp_path, OWN) == [
        Stated("XYZ", "AUD", parse_ms("2025-10-31T10:00"), "own", Decimal("2.5"), "an invoice")
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a,b\n1,2\n", "neither the RBA's table"),
        ("", "neither the RBA's table"),
        (RBA.replace("0.6828", "zero"), "line 4: 'zero' is no rate"),
        (RBA.replace("0.6828", "-1"), "out of range"),
    ],
)
def test_a_damaged_file_is_refused_by_line(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(InputError, match=why):
        read(tmp_path, text)


def test_a_rate_is_carried_five_days_and_says_so() -> None:
    friday = parse_ms("2023-01-06T00:00:00+11:00")
    rates = PublishedRates([[("USD", "AUD", Rate(Decimal("1.4"), "RBA", friday))]])

    def source(days: int, hours: int = 0) -> str | None:
        found = rates.rate("USD", "AUD", ts_ms=friday + (days * 24 + hours) * 3_600_000)
        return found and found.source

    assert source(0, 23) == "RBA"
    assert source(1) == "RBA (carried 1 day)"
    assert source(5, 23) == "RBA (carried 5 days)"
    assert source(6) is None
    assert source(-1) is None
    assert rates.rate("EUR", "AUD", ts_ms=friday) is None


def test_the_first_publisher_that_knows_is_taken() -> None:
    one = [("USD", "AUD", Rate(Decimal("1.4"), "RBA", 5))]
    other = [
        ("USD", "AUD", Rate(Decimal("1.5"), "ECB", 1)),
        ("EUR", "AUD", Rate(Decimal(2), "E", 1)),
    ]
    rates = PublishedRates([one, other])
    told = [rates.rate(coin, "AUD", ts_ms=at) for coin, at in (("USD", 9), ("USD", 3), ("EUR", 9))]
    assert [rate and rate.source for rate in told] == ["RBA", "ECB", "E"]
