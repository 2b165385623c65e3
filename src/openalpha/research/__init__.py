"""What to believe: results, metrics, verdicts, the trial ledger and reports."""
