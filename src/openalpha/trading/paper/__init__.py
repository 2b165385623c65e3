"""Runs on paper: the kernel fills, one sub-book a strategy."""
