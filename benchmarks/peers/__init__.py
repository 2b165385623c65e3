"""The same job in other programs, each a process of its own in the benchmark's environments."""
