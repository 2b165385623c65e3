"""Labels of the tax returns: which figure goes where on which entity's form.

The letters are those of the 2026 forms (income year 2025-26); re-check them every year.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from openalpha.books.tax.amounts import ZERO
from openalpha.books.tax.entity import Entity
from openalpha.books.tax.losses import Statement

__all__ = ["Label", "cgt_labels", "label_texts", "needs_schedule"]

_SCHEDULE_FROM = Decimal(10000)


class Label(NamedTuple):
    """One label: what it shows, where that stands, and how sure we are."""

    text: str
    source: str
    mark: str


_Q18 = "Supplementary tax return 2026, question 18"
_LABELS: dict[Entity, dict[str, Label]] = {
    Entity.INDIVIDUAL: {
        "18G": Label("did you have a CGT event", _Q18, "ATO"),
        "18H": Label("total current year capital gains", _Q18, "ATO"),
        "18A": Label("net capital gain", _Q18, "ATO"),
        "18V": Label("net capital losses carried forward", _Q18, "ATO"),
    },
    Entity.TRUST: {
        "21G": Label("did you have a CGT event", "Trust tax return, item 21", "ATO"),
        "21A": Label("net capital gain", "Trust tax return, item 21", "ATO"),
        "21V": Label("net capital losses carried forward", "CGT schedule", "ATO"),
    },
    Entity.COMPANY: {
        "7G": Label("did you have a CGT event", "Company tax return, item 7", "3P"),
        "7A": Label("net capital gain", "Company tax return, item 7", "3P"),
        "13V": Label("net capital losses carried forward", "Company tax return, item 13", "3P"),
    },
    Entity.SMSF: {
        "11G": Label("did you have a CGT event", "SMSF annual return, item 11", "K"),
        "11A": Label("net capital gain", "SMSF annual return, item 11", "K"),
        "14V": Label("net capital losses carried forward", "SMSF annual return, item 14", "K"),
    },
}


def label_texts(entity: Entity) -> Mapping[str, Label]:
    """List an entity's labels.

    Examples
    --------
    >>> label_texts(Entity.INDIVIDUAL)["18A"].text
    'net capital gain'
    """
    return _LABELS[entity]


def cgt_labels(statement: Statement, entity: Entity) -> dict[str, Any]:
    """Return the capital gain labels of a year, with cents; print them in whole dollars.

    The individual's letters are always there too, as other forms name the same figures by them.
    """
    had_event = "Y" if statement.gross or statement.current_losses else "N"
    found: dict[str, Any] = {
        "18G": had_event,
        "18H": statement.gross,
        "18A": statement.net,
        "18V": statement.carried_forward,
        "18M": ZERO,
    }
    for name in _LABELS[entity]:
        found[name] = {
            "G": had_event,
            "H": statement.gross,
            "A": statement.net,
            "V": statement.carried_forward,
        }[name[-1]]
    # CGT schedule: 6A = 1J - 2E - 4A.
    applied = statement.applied_current + statement.applied_prior
    found |= {
        "1J": statement.gross,
        "2A": statement.current_losses,
        "2B": statement.applied_current,
        "2C": statement.applied_prior,
        "2E": applied,
        "3A": statement.carried_forward,
        "4A": statement.discount,
        "6A": statement.net,
    }
    return found


def needs_schedule(statement: Statement, entity: Entity) -> bool:
    """Say whether a company, trust or fund needs the CGT schedule: more than $10,000 either way."""
    if entity is Entity.INDIVIDUAL:
        return False
    return statement.gross > _SCHEDULE_FROM or statement.current_losses > _SCHEDULE_FROM
