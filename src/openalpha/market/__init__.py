"""What happened: reads, checks, keeps and prepares market history."""
