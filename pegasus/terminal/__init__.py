"""Events in, text out: the only rooms that print."""
