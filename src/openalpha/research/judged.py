"""A measured run with an opinion: what to believe of it, what tax would leave, its record."""

from functools import cached_property
from typing import Any

from openalpha.core.clock import format_ms
from openalpha.research.after_tax import AfterTax, Taxpayer, after_tax, taxpayer_at
from openalpha.research.circumstances import circumstances_of
from openalpha.research.context import installed_versions, settings_hash
from openalpha.research.measured import MeasuredRun
from openalpha.research.missing import open_items
from openalpha.research.verdict import Verdict, judge

__all__ = ["JudgedRun"]


class JudgedRun(MeasuredRun):
    """A run that has been judged: all that a report, a document or a comparison reads.

    It stands between the figures and the result that can be written, so that what judges reads
    only the figures, and what writes only the judgement.
    """

    taxpayer: Taxpayer | None = None
    """Whose tax `after_tax` estimates; None is a resident individual with every default."""

    @cached_property
    def verdict(self) -> Verdict:
        """What to believe of it."""
        return judge(self.metrics, circumstances_of(self))

    @cached_property
    def after_tax(self) -> AfterTax:
        """What Australian tax would leave of it: an estimate in AUD, or why there is none."""
        return after_tax(self, self.taxpayer or taxpayer_at(self.context.home))

    @property
    def open_items(self) -> list[dict[str, Any]]:
        """What the data left open: stretches without bars or settlements, missing mark prices."""
        return open_items(self.context.histories)

    @cached_property
    def record(self) -> dict[str, Any]:
        """What the run was made from, as stored in record.json."""
        context = self.context
        return {
            "environment": context.environment.name.lower(),
            "created": format_ms(context.created_ms),
            "commit": context.commit,
            "versions": installed_versions(),
            "strategy": context.strategy,
            "params": dict(context.params),
            "source_hash": context.source_hash,
            "instruments": list(context.histories),
            "roles": list(context.roles or context.histories),
            "data": context.data_record(),
            "data_fingerprint": context.data_fingerprint(),
            "settings": {name: dict(group) for name, group in context.settings.items()},
            "settings_hash": settings_hash(context.settings),
            "capital": str(self.run.capital),
            "account_currency": self.currency,
            "seed": context.seed,
            "is_lookahead_allowed": context.is_lookahead_allowed,
            "flattering": [
                check.sentence
                for check in self.verdict.checks
                if check.code in ("costs_off", "costs_low", "optimistic_path", "lookahead_allowed")
            ],
            "trial": self.trial,
            "slow_bars": int(self.run.slow_bars),
            "notes": [*context.notes, *self.run.notes],
        }
