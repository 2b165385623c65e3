"""The vocabulary of every package: instruments, units, orders, messages, time, errors."""
