"""From an address to a session that is logged in."""
