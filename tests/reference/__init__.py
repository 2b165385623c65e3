"""A slow, plain-Python exchange written from docs/kernel/rules.md alone: the kernel must agree."""
