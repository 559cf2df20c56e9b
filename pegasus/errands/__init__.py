"""What a task does that is no run: an errand, done in a moment. Works without Invoke too."""
