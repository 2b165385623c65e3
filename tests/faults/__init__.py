"""Trader and exchange in one process, on a network, a disk and a clock that fail by a seed."""
