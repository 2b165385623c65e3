"""What to do: orders that cannot be lost, one loop for paper and live, reconciliation."""
