"""Whether the key that a host shows is the one it should have."""
