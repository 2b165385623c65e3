"""What to allow: sizing and limits. Shrinks or refuses, never enlarges."""
