"""The sub-books of an account add up to the account: looked at whenever the venue states it."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from openalpha.core.instruments import Kind
from openalpha.core.messages import CashEffect, EffectKind
from openalpha.trading.orders.side import AccountState
from openalpha.trading.venue.books import VenueBook

__all__ = ["Sums"]

_ZERO = Decimal(0)
_OF_TRADES = (EffectKind.TRADE, EffectKind.FEE)


class Sums:
    """Compares what the sub-books hold together with what the venue says the account holds.

    Of a coin only what came since the run began is the sub-books': what was held before, deposited
    or earned stays outside.

    Parameters
    ----------
    books : list of VenueBook
    """

    def __init__(self, books: list[VenueBook]) -> None:
        self._books = books
        self.outside: dict[str, Decimal] | None = None
        self.suspected: dict[str, str] = {}

    def begin(self, state: AccountState) -> None:
        """Take the balances of before the first trade as nobody's."""
        if self.outside is None:
            self.outside = dict(state.balances)

    def paid(self, effect: CashEffect) -> None:
        """Take in a change of money that no trade made."""
        if self.outside is not None and effect.kind not in _OF_TRADES:
            self.outside[effect.coin] = self.outside.get(effect.coin, _ZERO) + effect.amount

    def differences(self, state: AccountState) -> dict[str, str]:
        """Return, instrument by instrument, where the sub-books are not what the account is."""
        found = {}
        for name, (kind, ours) in sorted(self._held().items()):
            theirs = self._coins(state, name) if kind is Kind.SPOT else _net(state, name)
            if theirs != ours:
                found[name] = (
                    f"{name}: the sub-books hold {ours:f} together, the account {theirs:f}"
                )
        return found

    def confirmed(self, state: AccountState) -> list[str]:
        """Return differences that two statements in a row show alike, each once."""
        now = self.differences(state)
        found = [
            words
            for name, words in now.items()
            if self.suspected.get(name) == words and not self.suspected.get(f"told {name}")
        ]
        told = {
            f"told {name}": "yes"
            for name, words in now.items()
            if self.suspected.get(name) == words
        }
        self.suspected = now | told
        return found

    def _held(self) -> Mapping[str, tuple[Kind, Decimal]]:
        """Return what all sub-books hold, by coin on spot, else by instrument."""
        held: dict[str, tuple[Kind, Decimal]] = {}
        for book in self._books:
            for item, one in zip(book.instruments, book.held, strict=True):
                name = item.base if item.kind is Kind.SPOT else str(item.id)
                held[name] = (item.kind, held.get(name, (item.kind, _ZERO))[1] + one.qty)
        return held

    def _coins(self, state: AccountState, coin: str) -> Decimal:
        return state.balances.get(coin, _ZERO) - (self.outside or {}).get(coin, _ZERO)


def _net(state: AccountState, instrument: str) -> Decimal:
    return _sum(
        held.qty for key, held in state.positions.items() if key.partition("/")[0] == instrument
    )


def _sum(values: Iterable[Decimal]) -> Decimal:
    return sum(values, _ZERO)
