"""What it was worth: the ledger, positions, profit and loss, and tax."""
