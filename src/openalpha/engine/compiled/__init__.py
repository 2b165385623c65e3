"""The compiled decision step and the pass over history, on the kernel's memory."""
