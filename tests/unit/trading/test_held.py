"""What an account holds by its executions, in digits that can be kept."""

from decimal import Decimal

from openalpha.core.instruments import Kind
from openalpha.core.orders import Side
from openalpha.store.decimals import checked
from openalpha.trading.orders.held import Holding


def test_a_profit_on_an_average_price_without_end_can_be_booked() -> None:
    held = Holding(Kind.SPOT)
    for qty, price in (("0.006674", "59931.3"), ("0.006676", "59913.3"), ("0.000007", "59895.3")):
        held.apply(Side.BUY, qty=Decimal(qty), price=Decimal(price))
    profit, _ = held.apply(Side.SELL, qty=Decimal("0.000001"), price=Decimal("59922.4"))
    assert checked(profit, "a profit") == profit
    assert abs(profit) < Decimal("0.0001")
