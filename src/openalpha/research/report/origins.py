"""Where a result came from, as tables: sides, instruments, hours, regimes, the market itself."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from openalpha.research.drawdown import drawdowns
from openalpha.research.report.listing import Listing
from openalpha.research.wording import count, money, percent, ratio

if TYPE_CHECKING:
    from openalpha.research.judged import JudgedRun

__all__ = ["against_listing", "bands_sentence", "hour_listing", "origins", "regime_listing"]


def origins(result: "JudgedRun") -> Iterator[Listing]:
    """Yield the tables of where a result came from, the hours apart (`hour_listing`)."""
    yield _sides(result)
    if len(result.instruments) > 1:
        yield _instruments(result)
    yield regime_listing(result)
    yield against_listing(result)


def _sides(result: "JudgedRun") -> Listing:
    head = ("side", *_EARNED, f"net, {result.currency}", "average", "best", "worst")
    rows = [
        (row["side"], *_earned(row), _cash(row["expectancy"]), _cash(row["best"]),
         _cash(row["worst"]))
        for row in result.by_side.to_dicts()
    ]  # fmt: skip
    return Listing(head, rows, "By side")


def _instruments(result: "JudgedRun") -> Listing:
    head = ("instrument", "round trips", "won", "spread", "impact", "fees", "funding",
            f"net, {result.currency}", "traded")  # fmt: skip
    rows = [
        (row["instrument"], count(row["round_trips"]), _share(row["win_rate"]),
         _cash(-row["spread_cost"]), _cash(-row["impact_cost"]), _cash(-row["fees"]),
         _cash(row["funding"]), _cash(row["pnl"]), money(row["traded"]))
        for row in result.by_instrument.to_dicts()
    ]  # fmt: skip
    return Listing(head, rows, "By instrument", "Spread and impact are inside the prices.")


def hour_listing(result: "JudgedRun") -> Listing:
    """Return round trips by the hour of their entry, hours without any left out."""
    head = ("hour, UTC", *_EARNED, f"net, {result.currency}")
    rows = [
        (f"{row['hour']:02d}:00", *_earned(row))
        for row in result.by_hour.to_dicts()
        if row["round_trips"]
    ]
    return Listing(head, rows, "By hour of entry")


def regime_listing(result: "JudgedRun") -> Listing:
    """Return how it did in rising and falling, calm and wild markets."""
    rows = [
        (row["regime"], count(row["days"]), percent(row["total_return"], signed=True),
         percent(row["market_return"], signed=True), _ratio(row["sharpe"]))
        for row in result.by_regime.to_dicts()
    ]  # fmt: skip
    note = (
        "Known the evening before: the market's return over the 30 days before, and its volatility "
        "beside the median so far; the first 30 days have none."
    )
    head = ("market", "days", "return", "buy and hold", "sharpe")
    return Listing(head, rows, "By market regime", note)


def against_listing(result: "JudgedRun") -> Listing:
    """Return alpha, beta and capture against buying and holding, each in words."""
    found = result.against
    rows = [
        ("alpha a year", percent(found.alpha_annual, signed=True),
         "mean daily return beyond beta times the market's, times 365"),
        ("beta", ratio(found.beta), "what a market move of 1 moved it, on the average day"),
        ("correlation", ratio(found.correlation), "of daily returns"),
        ("up capture", _share(found.up), "its mean return on days the market rose, over the "
         "market's own then"),
        ("down capture", _share(found.down), "the same on days the market fell: less is better"),
    ]  # fmt: skip
    return Listing(("against buy and hold", "", "which is"), rows, "Against the market")


def bands_sentence(result: "JudgedRun") -> str:
    """Return how deep the fall was beside those of the same days in another order."""
    if not len(result.days):
        return ""
    half, most = result.deepest_bands.tolist()
    fell = drawdowns(result.days.equity, float(result.run.capital)).max()
    return (
        f"At day ends it fell {percent(float(fell))} at worst. Its days put together again "
        f"in blocks fall {percent(half)} or less in half of 500 orders, and {percent(most)} or "
        "less in 95 % of them. A live account that falls deeper no longer has days like these."
    )


_EARNED = ("round trips", "won", "before fees", "fees", "funding")


def _earned(row: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        count(row["round_trips"]), _share(row["win_rate"]), _cash(row["gross_pnl"]),
        _cash(-row["fees"]), _cash(row["funding"]), _cash(row["pnl"]),
    )  # fmt: skip


def _cash(value: float | None) -> str:
    return "–" if value is None else money(value, signed=True)


def _share(value: float | None) -> str:
    return "–" if value is None else percent(value, digits=0)


def _ratio(value: float | None) -> str:
    return "–" if value is None else ratio(value)
