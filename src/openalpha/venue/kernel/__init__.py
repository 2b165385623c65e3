"""The compiled kernel: one implementation of matching, fees, funding, margin and liquidation.

Knows numpy, numba and `core` only. The rules are in docs/kernel/rules.md.
"""
