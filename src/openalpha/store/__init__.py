"""What is kept: run folders and append-only, hash-chained files. Knows no trading rule."""
