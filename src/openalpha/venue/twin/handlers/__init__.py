"""What each address of the protocol does: one file a family."""
