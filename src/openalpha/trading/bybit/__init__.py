"""An account at Bybit: what is asked, what the answers mean, recovery and reconciliation."""
