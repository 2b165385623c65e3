"""The rules behind the figures: one sentence, its source, and how sure we are of it.

Marks: ATO page or ruling; LAW statute; EM explanatory memorandum; PA private advice; 3P third
party; K general knowledge, unconfirmed; D derived here.
"""

from typing import NamedTuple

__all__ = ["MARKS", "RULES", "Rule"]

MARKS = {
    "ATO": "ATO page, ruling or form",
    "LAW": "statute",
    "EM": "explanatory memorandum",
    "PA": "ATO edited private advice, no precedent",
    "3P": "third party",
    "K": "general knowledge, unconfirmed",
    "D": "derived here",
}


class Rule(NamedTuple):
    """One rule in a sentence, with its source and confidence mark."""

    text: str
    source: str
    mark: str


RULES: dict[str, Rule] = {
    "gain": Rule(
        "the gain is the proceeds less the cost base; the loss is the reduced cost base less the "
        "proceeds; between the two there is neither",
        "ITAA 1997 s 104-10(4), Div 110; ATO QC 66022",
        "ATO",
    ),
    "cost_base": Rule(
        "five elements: price, incidental costs of buying and selling, costs of owning, "
        "improvements, title; the reduced cost base leaves out the costs of owning",
        "ITAA 1997 ss 110-25, 110-55; ATO QC 66022",
        "ATO",
    ),
    "discount": Rule(
        "held at least 12 months, neither the day of acquisition nor of the event counting: half "
        "for individuals and trusts, a third for complying funds, nothing for companies",
        "ITAA 1997 ss 115-25, 115-100; TD 2002/10; ATO QC 66019",
        "ATO",
    ),
    "losses": Rule(
        "losses of the year, then those of earlier years, oldest first, against gains without "
        "discount before those with it",
        "ITAA 1997 s 102-5; ATO QC 106842",
        "ATO",
    ),
    "seven_steps": Rule(
        "from 2027-28 losses go against deferred non-residential, deferred residential, "
        "non-residential and residential gains, in that order",
        "ITAA 1997 ss 102-5, 102-6; explanatory memorandum 1.94 to 1.106",
        "EM",
    ),
    "deferred_gain": Rule(
        "what was held over 30 June 2027 counts as sold and bought back at its value that day; "
        "that gain or loss waits for the real sale and keeps its discount",
        "ITAA 1997 ss 112-155 to 112-170; explanatory memorandum 1.109 to 1.131",
        "EM",
    ),
    "indexation": Rule(
        "from 1 July 2027 every cost but those of owning grows by the consumer price index, no "
        "earlier than the September quarter 2027",
        "ITAA 1997 ss 110-36(1A), 960-275(1B); explanatory memorandum 1.39, 1.71, 1.72",
        "EM",
    ),
    "indexation_open": Rule(
        "an index number is missing, so the cost is not indexed yet",
        "ITAA 1997 s 960-275",
        "LAW",
    ),
    "short_hold": Rule(
        "held less than 12 months, or not resident throughout: neither discount nor indexation",
        "ITAA 1997 ss 114-10, 114-25; explanatory memorandum 1.55 to 1.62",
        "EM",
    ),
    "loss_not_indexed": Rule(
        "a loss is measured on the reduced cost base, which is never indexed",
        "ITAA 1997 s 110-55; explanatory memorandum 1.38",
        "EM",
    ),
    "between_cost_bases": Rule(
        "proceeds between the plain and the indexed cost base: neither gain nor loss",
        "ITAA 1997 s 110-55; explanatory memorandum 1.38",
        "D",
    ),
    "personal_use": Rule(
        "a personal use asset acquired for $10,000 or less has no gain, and never a loss",
        "ITAA 1997 ss 108-20, 118-10; ATO crypto pages",
        "ATO",
    ),
    "pre_cgt": Rule(
        "acquired before 20 September 1985: not taxed on what accrued to 30 June 2027",
        "ITAA 1997 s 104-10(5), s 112-175",
        "EM",
    ),
    "k4": Rule(
        "an investment that becomes trading stock is sold at market value that day (CGT event K4), "
        "or passes over at cost, as elected",
        "ITAA 1997 ss 70-30, 104-220; ATO QC 66047",
        "ATO",
    ),
    "stock_exit": Rule(
        "trading stock that becomes an investment counts as sold and bought back at its cost",
        "ITAA 1997 s 70-110",
        "LAW",
    ),
    "scheme_entry": Rule(
        "what an investment gained before it joined a profit scheme stays a capital gain, taxed "
        "when it is really sold; the rest is profit",
        "TR 92/3; ITAA 1997 s 118-20",
        "D",
    ),
    "trustee": Rule(
        "income to which nobody is presently entitled at 30 June is the trustee's at the top rate, "
        "capital gains without discount",
        "ITAA 1936 s 99A; ITAA 1997 s 115-222",
        "K",
    ),
    "streaming": Rule(
        "a gain goes to who is specifically entitled by 31 August if the deed lets it, else with "
        "the income",
        "ITAA 1997 ss 115-227, 115-228; ATO, streaming of capital gains",
        "ATO",
    ),
    "company_losses": Rule(
        "a company's capital and revenue losses are kept apart, and used only with the same owners "
        "or a similar business",
        "ITAA 1997 Divisions 36 and 165, s 102-10",
        "ATO",
    ),
    "revenue": Rule(
        "on revenue account an amount is income or a deduction when it arises, and is outside CGT",
        "ITAA 1997 ss 6-5, 8-1, 118-20; TR 92/3; TR 2005/15 for contracts",
        "3P",
    ),
    "stated": Rule("stated as worked out elsewhere", "the event of that name", "D"),
    "parcels": Rule(
        "parcels are chosen by the method in force; first in, first out where nothing else was "
        "chosen; average cost is refused",
        "TD 33; ATO, keeping records of shares and units",
        "3P",
    ),
    "swap": Rule(
        "proceeds of a swap are the value of what was received, else of what was given",
        "ATO QC 69949",
        "ATO",
    ),
    "coin_fee": Rule(
        "a fee in coin disposes of that coin at its value, which joins the cost of the trade",
        "ATO QC 67444",
        "ATO",
    ),
    "minimum_tax": Rule(
        "new gains bear at least 30 per cent: the gap to the tax they add is paid on top",
        "ITAA 1997 ss 119-5, 119-10; explanatory memorandum 1.180",
        "EM",
    ),
}
