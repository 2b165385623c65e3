"""Runs at a venue: decisions to orders of one account, what it answers to books."""
