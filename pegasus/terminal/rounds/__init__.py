"""The rounds of a broadcast: what they came to, with the same output of several nodes once."""
