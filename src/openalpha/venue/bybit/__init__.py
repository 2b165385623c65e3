"""Bybit by its v5 protocol: a thin client that imports neither ccxt nor the kernel.

The trader, the emergency stop and the guardian all speak through it.
"""
