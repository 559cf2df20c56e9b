"""What is on disk: hosts.yaml, queue.yaml and consumed.yaml, and how they are kept whole."""
