"""The vocabulary every package speaks: instruments, units, orders, messages, time, errors. No I/O."""
