"""What the venue refuses with: return codes, and which kernel reason becomes which code."""

from openalpha.core.reasons import Reason, explain

__all__ = ["Refused", "refusal_of"]


class Refused(Exception):
    """A request the venue answers with a code other than 0.

    Parameters
    ----------
    code : int
        The venue's return code.
    message : str
        Its return message.
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


# Texts and codes as public documentation and recorded replies give them; where neither does, the
# choice is ours and stands in docs/twin.md.
_PERPETUAL: dict[Reason, tuple[int, str]] = {
    Reason.INSUFFICIENT_MARGIN: (110007, "ab not enough for new order"),
    Reason.INSUFFICIENT_BALANCE: (110007, "ab not enough for new order"),
    Reason.BELOW_MIN_QTY: (10001, "The number of contracts below minimum limit allowed"),
    Reason.BELOW_MIN_NOTIONAL: (110094, "Order does not meet minimum order value"),
    Reason.ABOVE_MAX_QTY: (10001, "The number of contracts exceeds maximum limit allowed"),
    Reason.OFF_TICK: (10001, "Price invalid"),
    Reason.OFF_LOT: (10001, "Qty invalid"),
    Reason.RISK_LIMIT: (110090, "Your position would exceed the limit of this contract"),
    Reason.LEVERAGE_TOO_HIGH: (110013, "Cannot set leverage due to risk limit level"),
    Reason.LEG_MISMATCH: (10001, "position idx not match position mode"),
    Reason.REDUCE_ONLY_NO_POSITION: (110017, "orderQty will be truncated to zero."),
    Reason.TOO_MANY_ORDERS: (110020, "You can't have more than 500 active orders"),
}
_SPOT: dict[Reason, tuple[int, str]] = {
    Reason.INSUFFICIENT_MARGIN: (170131, "Insufficient balance."),
    Reason.INSUFFICIENT_BALANCE: (170131, "Insufficient balance."),
    Reason.BELOW_MIN_QTY: (170136, "Order quantity exceeded lower limit."),
    Reason.BELOW_MIN_NOTIONAL: (170140, "Order value exceeded lower limit."),
    Reason.ABOVE_MAX_QTY: (170124, "Order amount too large."),
    Reason.OFF_TICK: (170134, "Order price has too many decimals."),
    Reason.OFF_LOT: (170137, "Order quantity has too many decimals."),
    Reason.REDUCE_ONLY_NO_POSITION: (170131, "Insufficient balance."),
}


def refusal_of(reason: Reason, *, is_spot: bool, rises: bool = False) -> Refused:
    """Return the venue's refusal for a reason of the kernel.

    Parameters
    ----------
    reason : Reason
    is_spot : bool
        Spot has codes of its own.
    rises : bool
        Whether the order waits for a rise, for the two codes of a trigger on the wrong side.
    """
    if reason is Reason.TRIGGER_WRONG_SIDE:
        if rises:
            return Refused(110092, "expect Rising, but trigger_price <= current")
        return Refused(110093, "expect Falling, but trigger_price >= current")
    code, text = (_SPOT if is_spot else _PERPETUAL).get(reason, (10001, explain(reason)))
    return Refused(code, text)
