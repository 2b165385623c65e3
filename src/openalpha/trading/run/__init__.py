"""What every run has: plan, folder, commands, lease, incidents, and how threads reach its loop."""
