"""The frozen messages packages speak to each other in."""

from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum

from openalpha.core.instruments import InstrumentId
from openalpha.core.orders import Leg, OrderType, Role, Side, TimeInForce, TriggerBy, TriggerKind
from openalpha.core.reasons import Reason

__all__ = [
    "ApprovedIntent",
    "CashEffect",
    "EffectKind",
    "Environment",
    "Fill",
    "OrderIntent",
    "Target",
]


class Environment(IntEnum):
    """Where the same objects run: each with its own books, histories, logs and keys."""

    BACKTEST = 0
    PAPER = 1
    TWIN = 2
    DEMO = 3
    TESTNET = 4
    LIVE = 5


class EffectKind(IntEnum):
    """Why a balance changed. The numbers are stored: never renumber."""

    TRANSFER = 0
    FEE = 1
    REALISED_PNL = 2
    FUNDING = 3
    TRADE = 4
    LIQUIDATION_FEE = 5
    INSURANCE = 6
    INTEREST = 7
    REWARD = 8
    ADJUSTMENT = 9


@dataclass(frozen=True, slots=True)
class CashEffect:
    """One change of one coin's balance; the account is the sum of them.

    Parameters
    ----------
    seq : int
        Position in the run's stream of effects, from 0.
    ts_ms : int
        When it happened, UTC ms.
    account : int
        Which account of the run.
    coin : str
        The coin whose balance changed.
    amount : Decimal
        The change, + received, - paid, in the coin.
    kind : EffectKind
    instrument : InstrumentId or None
        What it arose from, where there is one.
    fill_seq : int or None
        The fill that caused it, where there is one.
    """

    seq: int
    ts_ms: int
    account: int
    coin: str
    amount: Decimal
    kind: EffectKind
    instrument: InstrumentId | None
    fill_seq: int | None


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution of (part of) an order.

    `fee` is positive when paid and counted in `fee_coin`; `realised_pnl` is what the closing part
    booked, before the fee, in the settle coin.
    """

    seq: int
    ts_ms: int
    account: int
    instrument: InstrumentId
    order_id: int
    side: Side
    leg: Leg
    price: Decimal
    qty: Decimal
    role: Role
    fee: Decimal
    fee_coin: str
    realised_pnl: Decimal
    is_reducing: bool
    reason: Reason


@dataclass(frozen=True, slots=True)
class Target:
    """What a strategy wants to hold: a fraction of the sizing kind's full size, in millionths."""

    ts_ms: int
    instrument: InstrumentId
    fraction_e6: int


@dataclass(frozen=True, slots=True)
class OrderIntent:
    """What a strategy wants done, before risk has looked at it.

    `strategy` names the sub-book it belongs to. The exits an entry carries are millionths of its
    own price (`time_exit_ms` a time held); 0 is none. `lots` names the parcels a sale uses up for
    tax, (key, quantity) each; without them the standing method chooses.
    """

    ts_ms: int
    instrument: InstrumentId
    side: Side
    qty: Decimal
    order_type: OrderType = OrderType.MARKET
    limit_price: Decimal | None = None
    trigger_price: Decimal | None = None
    trigger_kind: TriggerKind = TriggerKind.NONE
    trigger_by: TriggerBy = TriggerBy.LAST
    time_in_force: TimeInForce = TimeInForce.GTC
    is_reduce_only: bool = False
    leg: Leg = Leg.NET
    tag: str = ""
    strategy: str = ""
    stop_e6: int = 0
    take_profit_e6: int = 0
    trailing_e6: int = 0
    activation_e6: int = 0
    time_exit_ms: int = 0
    lots: tuple[tuple[str, Decimal], ...] = ()


@dataclass(frozen=True, slots=True)
class ApprovedIntent:
    """An intent that passed the risk gate. Only `risk` makes one; `gate_seq` is its proof."""

    intent: OrderIntent
    gate_seq: int
