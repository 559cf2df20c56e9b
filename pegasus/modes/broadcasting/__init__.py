"""What broadcast mode is made of: its rounds, and the nodes that take part in them."""
