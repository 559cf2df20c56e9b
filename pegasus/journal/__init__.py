"""What happened, on disk: the journal of a queue file, and the logs of its jobs."""
