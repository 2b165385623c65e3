"""What an order is and becomes: ids, states, executions, worked orders; data and pure rules."""
