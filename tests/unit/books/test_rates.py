"""Rates are known or they are not: nothing is assumed, and nothing is carried for ever."""

from decimal import Decimal
from pathlib import Path

import pytest

from openalpha.books.rate_file import read_rates
from openalpha.books.rates import NO_RATES, Rate, RateTable, SeveralRates, in_quote
from openalpha.core.clock import DAY_MS
from openalpha.core.errors import InputError

ONE = Rate(Decimal("1.5"), "one", 1_000)
TWO = Rate(Decimal("1.6"), "two", 2_000)
TABLE = RateTable([("USDT", "AUD", TWO), ("USDT", "AUD", ONE)])


@pytest.mark.parametrize(
    ("ts_ms", "found"),
    [(999, None), (1_000, ONE), (1_999, ONE), (2_000, TWO), (2_000 + 5 * DAY_MS, TWO),
     (2_001 + 5 * DAY_MS, None)],
)  # fmt: skip
def test_the_last_rate_holds_for_five_days(ts_ms: int, found: Rate | None) -> None:
    assert TABLE.rate("USDT", "AUD", ts_ms=ts_ms) == found


@pytest.mark.parametrize("coin", ["USDC", "usdt", "USD", "AUD"])
def test_no_coin_is_taken_for_another(coin: str) -> None:
    assert TABLE.rate(coin, "AUD", ts_ms=1_500) is None


def test_the_first_source_that_knows_answers() -> None:
    both = SeveralRates((NO_RATES, TABLE, RateTable([("USDT", "AUD", TWO)])))
    assert both.rate("USDT", "AUD", ts_ms=1_500) == ONE
    assert both.rate("BTC", "AUD", ts_ms=1_500) is None


@pytest.mark.parametrize(
    ("coin", "amount", "worth"), [("AUD", "3", "3"), ("USDT", "2", "3.0"), ("BTC", "0", "0")]
)
def test_what_an_amount_is_worth(coin: str, amount: str, worth: str) -> None:
    found = in_quote(TABLE, coin, quote="AUD", amount=Decimal(amount), ts_ms=1_500)
    assert found == Decimal(worth)


def test_what_is_not_known_is_none() -> None:
    assert in_quote(TABLE, "BTC", quote="AUD", amount=Decimal(1), ts_ms=1_500) is None


HEAD = "coin,quote,time,rate,source\n"


def test_a_file_of_rates_is_read(tmp_path: Path) -> None:
    file = tmp_path / "rates.csv"
    file.write_text(f"{HEAD}USDT,AUD,1970-01-01T00:00:01Z,1.5,one\nUSD,AUD,2024-01-02,1.4,RBA\n")
    rates = read_rates(file)
    assert rates.rate("USDT", "AUD", ts_ms=1_000) == ONE
    assert rates.rate("USD", "AUD", ts_ms=1_704_153_600_000) is not None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("coin,quote,rate\n", "the header lacks source, time"),
        ("", "the header lacks"),
        (f"{HEAD}USDT,AUD,2024-01-01,x,me\n", "line 2: the rate was 'x'"),
        (f"{HEAD}USDT,AUD,2024-01-01,0,me\n", "expected one above 0"),
        (f"{HEAD}USDT,AUD,2024-01-01,inf,me\n", "expected one above 0"),
        (f"{HEAD}\nUSDT,AUD,yesterday,1,me\n", "line 3: 'yesterday' is not a time"),
        (f"{HEAD}USDT,AUD,2024-01-01,1,\n", "needs a value"),
        (f"{HEAD}USDT,AUD\n", "needs a value"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "rates.csv"
    file.write_text(text, "utf-8")
    with pytest.raises(InputError, match=said):
        read_rates(file)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rates.csv").write_bytes(b"\xff\xfe\x00\x81")
    for file in (tmp_path / "rates.csv", tmp_path / "none.csv", tmp_path):
        with pytest.raises(InputError, match="cannot be read as text"):
            read_rates(file)
