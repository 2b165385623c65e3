"""Entities of the books: their files, kept as declarations, and coins that pass between them."""

import hashlib
from decimal import Decimal
from typing import NamedTuple

from openalpha.books.declarations import PROFILE, Declarations
from openalpha.books.imports.items import ImportItem
from openalpha.books.imports.reading import ReadFile
from openalpha.books.imports.records import Kind, Move, Record, keyed
from openalpha.books.imports.storing import Imports, Settlement, SourceFile
from openalpha.books.tax.profile import Profile
from openalpha.books.tax.profile_file import read_profile
from openalpha.core.clock import DAY_MS, Clock
from openalpha.core.errors import InputError
from openalpha.store.database import Database

__all__ = ["TEMPLATES", "Handed", "add_entity", "hand_over", "profile_of", "template_of"]

_FAMILY = "openalpha transfer"
_NEAR_MS = 3 * DAY_MS
_NEAR_SHARE = Decimal("0.95")

_COMMON = """\
schema = "openalpha.tax.entity/1"
kind = "{kind}"
full_name = ""
time_zone = "Australia/Sydney"   # whose days these are
aud_market = ""                  # value events by this market's own prices in AUD; "": as published

[choices]                        # every one is printed on the first page of a report
method = "fifo"                  # fifo, lifo, hifo, specific, min_tax
treatment = "capital"            # capital, revenue_profit_scheme, revenue_trading_stock
derivatives = "revenue"          # perpetuals: revenue, capital
funding_received = "income"      # where derivatives are capital: income, proceeds
venue_deposit = "transfer"       # margin deposits: transfer, disposal
rebates = "cost"                 # maker rebates: cost, income
stock_value = "cost"             # trading stock at year end: cost, market, replacement

# [[treatments]]                 # a portfolio ("" is all else) with its own account, or a change
# portfolio = "trend"            # the strategy's name
# treatment = "revenue_trading_stock"
# since = 2025-07-01
# value = "market"               # coins held become stock at cost or at market value
# values = {{ BTC = "165000" }}    # AUD a unit that day
# reason = "it became a business"
# signer = "me"

# [portfolios]                   # accounts that are a portfolio: how their wallets' names begin
# trend = "bybit"

# [[agent]]                      # a registered tax agent's word on open items that ask for one
# item = "refer_change"          # a change of account no rule works out
# word = "the gain of 2026 is split at the value of 1 July 2025"
# signer = "me"

# [[venues]]                     # what a venue's own terms make of a deposit
# name = "bybit"
# deposit = "transfer"           # transfer, disposal
# terms = "https://…"            # where they stand
# day = 2026-07-01               # when you read them
# sha256 = ""                    # of the text, if you kept it

# [other_income]                 # taxable income apart from these books
# "2025-26" = "90000"

# [[losses]]                     # brought in from earlier years
# year = "2022-23"
# amount = "1200.50"
# evidence = "notice of assessment 2023"
"""

TEMPLATES = {
    "individual": """
# [[residency]]                  # periods without ordinary residence: referred to an agent
# status = "foreign"             # foreign, temporary, deceased
# from = 2024-01-01
# to = 2024-12-31

# business_loss_years = ["2025-26"]  # Division 35 lets their loss be used (put above [choices])
# support_years = ["2027-28"]    # with a listed income support payment (put above [choices])
# [gifts]                        # deductible gifts, which lower the minimum tax from 2027-28
# "2027-28" = "500"
""",
    "trust": """
# deed_allows_streaming = true   # put above [choices]

# [[beneficiaries]]
# name = "Kim"
# kind = "individual"            # individual, company, smsf, trust
# losses = "0"                   # own capital losses

# [[resolutions]]                # income: made by 30 June
# year = "2025-26"
# kind = "income"
# day = 2026-06-25
# shares = {{ Kim = "1" }}         # fractions, together at most 1

# [[resolutions]]                # gains: specific entitlement, recorded by 31 August
# year = "2025-26"
# kind = "gains"
# day = 2026-08-20
# gains = []                     # keys of disposals; empty means every gain
# shares = {{ Kim = "1" }}
""",
    "company": """
# wallet = "revenue" and test = "ownership" or "business" may stand in [[losses]] too

# [turnover]                     # aggregated turnover, for the rate test
# "2025-26" = "120000"

# [passive_share]                # passive part of the assessable income; else worked out from here
# "2025-26" = "0.4"
""",
    "smsf": "",
}
"""What is special in the file of each kind of entity."""


def template_of(kind: str) -> str:
    """Return a file to fill in, every word explained."""
    return (_COMMON + TEMPLATES[kind]).format(kind=kind)


def add_entity(
    declarations: Declarations, name: str, *, text: str, replace: bool
) -> tuple[Profile, bool]:
    """Keep an entity's file, once it is understood.

    Returns
    -------
    tuple of Profile and bool
        And whether the file is new.

    Raises
    ------
    InputError
        If the file is wrong, or the entity has another one and `replace` is not set.
    """
    if not name.strip() or "/" in name:
        raise InputError(f"an entity was named '{name}', expected a short name such as me or trust")
    profile = read_profile(name, text)
    known = declarations.last(name, PROFILE)
    if known is not None and known.said != text and not replace:
        raise InputError(
            f"{name} has a file already; --replace lets this one hold (the older stays on record)"
        )
    return profile, declarations.declare(name, PROFILE, said=text)


def profile_of(database: Database, entity: str, *, clock: Clock) -> Profile:
    """Return an entity's profile; without a file it is an individual with every default.

    Raises
    ------
    InputError
        If its file is of an older shape this version does not read.
    """
    known = Declarations(database, clock).last(entity, PROFILE)
    return Profile(entity) if known is None else read_profile(entity, known.said)


class Handed(NamedTuple):
    """One side of a transfer between entities: its key, and whether an import told of it."""

    entity: str
    key: str
    was_imported: bool


def hand_over(
    imports: Imports,
    *,
    sides: tuple[tuple[str, list[ImportItem]], tuple[str, list[ImportItem]]],
    move: Move,
    ts_ms: int,
    settlement: Settlement,
) -> tuple[Handed, Handed]:
    """Record coins that passed from one entity to another: a sale and a purchase at market value.

    A withdrawal or deposit that an import left unexplained is taken for it if coin, amount (5 %)
    and time (three days) fit; else the side is recorded anew.

    Parameters
    ----------
    sides : ((str, list of ImportItem), (str, list of ImportItem))
        The giver and the receiver, each with its open items.
    move : Move
        The coin and how much of it, above 0.
    settlement : Settlement
        Value (None takes the rates' word) and reason.
    """
    (giver, out_items), (receiver, in_items) = sides
    out = Move(move.coin, -move.amount)
    label = f"{giver} to {receiver}"
    done = []
    for whose, items, side, way in (
        (giver, out_items, out, "sell"),
        (receiver, in_items, move, "buy"),
    ):
        key = _imported(items, side, ts_ms)
        is_imported = key is not None
        if key is None:
            key = _recorded(imports, whose, side, ts_ms=ts_ms, label=label)
        said = Settlement(way, settlement.aud, f"{label}: {settlement.reason}")
        imports.settle(whose, key, settlement=said)
        done.append(Handed(whose, key, is_imported))
    return done[0], done[1]


def _imported(items: list[ImportItem], move: Move, ts_ms: int) -> str | None:
    code = "unmatched_withdrawal" if move.amount < 0 else "unmatched_deposit"
    fitting = [
        item
        for item in items
        if item.code == code
        and item.coin == move.coin
        and item.amount
        and _NEAR_SHARE <= item.amount / move.amount <= 1 / _NEAR_SHARE
        and abs(item.ts_ms - ts_ms) <= _NEAR_MS
    ]
    return min(fitting, key=lambda item: abs(item.ts_ms - ts_ms)).key if fitting else None


def _recorded(imports: Imports, whose: str, move: Move, *, ts_ms: int, label: str) -> str:
    kind = Kind.WITHDRAWAL if move.amount < 0 else Kind.DEPOSIT
    row = Record("own", whose, _FAMILY, ts_ms, kind, (move,), label=label, file=label, line=1)
    records = keyed([row])
    digest = hashlib.sha256(records[0].key.encode()).hexdigest()
    source = SourceFile(f"transfer {label}", digest, "")
    imports.add(whose, source, found=ReadFile(_FAMILY, records, 1, ""), replace=False)
    return records[0].key
