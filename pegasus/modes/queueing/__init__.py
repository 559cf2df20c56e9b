"""What queue mode is made of: who runs next, on which node; nodes that come and go."""
