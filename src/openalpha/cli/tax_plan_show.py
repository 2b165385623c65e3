"""Shows estimates and plans of tax: the year so far, clocks, sales compared, losses held."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from openalpha.cli.conventions import Screen

if TYPE_CHECKING:
    from decimal import Decimal

    from openalpha.books.tax.entity_year import Assessed
    from openalpha.books.tax.payable import YearTax
    from openalpha.books.tax.planning import Clock, Harvest, Sale
    from openalpha.books.tax.profile import Profile

__all__ = [
    "cents",
    "clock_row",
    "harvest_row",
    "sale_row",
    "show_clocks",
    "show_harvest",
    "show_sales",
    "show_year",
    "tax_row",
    "treatment_words",
]


_MOST_ROWS = 60


def cents(amount: "Decimal | None") -> "Decimal | None":
    """Return an amount to the cent, as JSON shows it."""
    from openalpha.books.tax.amounts import rounded

    return None if amount is None else rounded(amount)


def tax_row(tax: "YearTax | None") -> dict[str, Any] | None:
    """Return what a year adds to tax as JSON can hold it."""
    if tax is None:
        return None
    return {
        "result": cents(tax.result),
        "used": cents(tax.used),
        "added": cents(tax.added),
        "marginal": f"{tax.marginal.normalize():f}",
        "minimum_gap": cents(tax.minimum_gap),
        "loss_carried": cents(tax.loss_carried),
        "basis": tax.basis,
        "notes": list(tax.notes),
    }


def treatment_words(profile: "Profile") -> str:
    """Return an entity's accounts in words."""
    words = str(profile.policy.treatment).replace("_", " ")
    own = sorted({choice.portfolio or "all" for choice in profile.choices})
    return words + (f" (own accounts: {', '.join(own)})" if own else "")


def show_year(screen: Screen, assessed: "Assessed", number: int, tax: "YearTax") -> None:
    """Show what a year comes to so far, and the tax on it."""
    year = assessed.years[number]
    rows = [
        ("net capital gain, discount taken", year.statement.net),
        ("losses carried forward", year.statement.carried_forward),
        ("income", year.income),
        ("deductions", -year.deductions),
        ("adds to taxable income", tax.result),
        ("estimated tax on it", tax.added),
    ]
    if tax.used:
        rows.insert(5, ("earlier revenue losses used", -tax.used))
    if tax.minimum_gap:
        rows.append(("  of it minimum tax on gains", tax.minimum_gap))
    for words, amount in rows:
        screen.show(f"  {words:36}{amount:>16,.2f}")
    screen.show(f"  marginal rate                       {tax.marginal:>16.1%}")
    screen.show(f"  by: {tax.basis}")
    for note in tax.notes:
        screen.show(f"  ! {note}")


def show_clocks(screen: Screen, rows: "Sequence[Clock]") -> None:
    """Show every open parcel with its gain and its discount clock."""
    from rich.table import Table

    if not rows:
        screen.show("No coins are held.")
        return
    table = Table("parcel", "coin", "held", "acquired", "gain now", "discount", box=None)
    for row in rows[:_MOST_ROWS]:
        parcel = row.parcel
        gain = "no AUD rate" if row.gain is None else f"{row.gain:,.2f}"
        due = row.words + ("" if not row.days_left else f", on {row.eligible}")
        table.add_row(
            parcel.id[:10],
            parcel.asset,
            f"{parcel.left.normalize():f}",
            str(parcel.acquired or "unknown"),
            gain,
            due,
        )
    screen.show(table)
    if len(rows) > _MOST_ROWS:
        screen.show(f"… and {len(rows) - _MOST_ROWS:,} parcels more; --json has every one")


def show_sales(screen: Screen, sales: "Sequence[Sale]") -> None:
    """Show a sale on several days, compared with the first."""
    first = sales[0]
    unit = first.proceeds / first.qty
    screen.show(
        f"Selling {first.qty.normalize():f} {first.asset} at {unit:,.2f} AUD on each of these days:"
    )
    for row in sales:
        saved = "" if row is first else f", {first.tax - row.tax:,.2f} less than now"
        screen.show(
            f"  {row.day}: gain {row.gain:,.2f}, of it {row.long_gain:,.2f} held twelve months; "
            f"tax {row.tax:,.2f}{saved}; kept {row.kept:,.2f}"
        )
    screen.show(f"  by: {first.basis}")


def show_harvest(screen: Screen, rows: "Sequence[Harvest]") -> None:
    """Show what is held at a loss, and what is near it."""
    if not rows:
        screen.show("No coin with a known price is held at a loss.")
        return
    screen.show("Held at a loss:")
    for row in rows:
        near = f"; bought within the window before: {', '.join(row.recent)}" if row.recent else ""
        screen.show(
            f"  {row.qty.normalize():f} {row.asset}: {row.loss:,.2f}{near}; a purchase or a long "
            f"perpetual before {row.buy_back_from} is flagged as a wash sale"
        )


def clock_row(row: "Clock") -> dict[str, Any]:
    """Return a parcel's clock as JSON can hold it."""
    parcel = row.parcel
    return {
        "portfolio": row.portfolio,
        "parcel": parcel.id,
        "asset": parcel.asset,
        "qty": parcel.left,
        "acquired": None if parcel.acquired is None else str(parcel.acquired),
        "cost": cents(parcel.cost_left + parcel.third_left),
        "value": cents(row.value),
        "gain": cents(row.gain),
        "discount_from": None if row.eligible is None else str(row.eligible),
        "days_left": row.days_left,
    }


def sale_row(row: "Sale") -> dict[str, Any]:
    """Return a planned sale as JSON can hold it."""
    return {
        "day": str(row.day),
        "asset": row.asset,
        "qty": row.qty,
        "proceeds": cents(row.proceeds),
        "gain": cents(row.gain),
        "gain_held_twelve_months": cents(row.long_gain),
        "tax": cents(row.tax),
        "kept": cents(row.kept),
        "parcels": [list(pair) for pair in row.parcels],
        "basis": row.basis,
    }


def harvest_row(row: "Harvest") -> dict[str, Any]:
    """Return a loss that stands in the book as JSON can hold it."""
    return row._asdict() | {"loss": cents(row.loss), "buy_back_from": str(row.buy_back_from)}
