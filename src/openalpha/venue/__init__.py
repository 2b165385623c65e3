"""What would fill: the compiled kernel now; paper, twin and real venues as they come."""
