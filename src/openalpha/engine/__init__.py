"""One decision step: decide, size, limit, order; and the compiled pass over history."""
