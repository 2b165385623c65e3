"""Compiles every entry of the kernel a twin uses, before the first client waits for one."""

from openalpha.core.reasons import Reason
from openalpha.venue.kernel.exchange import BookMachine
from openalpha.venue.kernel.setup import AccountSetup, InstrumentSetup, OrderRequest

__all__ = ["warm"]


def warm() -> None:
    """Call each entry once on a small machine; quick where all is compiled already."""
    machine = BookMachine((InstrumentSetup(1, leverage_e2=1_000),), (AccountSetup((10_000,)),))
    account = machine.add_account(AccountSetup((0,)))
    machine.transfer(account, 0, 1, 10_000)
    machine.on_snapshot(0, 1, [(99, 10)], [(101, 10)])
    first = machine.submit(0, 1, OrderRequest(side=1, qty=2, account=account))
    machine.advance(1)
    rests = machine.submit(0, 2, OrderRequest(1, 1, 1, 98, account=account))
    machine.advance(2)
    machine.amend(account, 0, 3, rests, qty=2)
    machine.cancel(account, 0, 3, rests)
    machine.advance(3)
    machine.set_leverage(account, 0, 0, 500)
    machine.state(account)
    machine.leg_state(account, 0, 0)
    machine.best(0)
    machine.settle(account, 0, 4, leg=0, price=100, reason=Reason.SETTLED)
    assert first and len(machine.fills) == 2, "a buy and its settlement"
