"""What is run here when a job has failed, the run has ended, or the queue has run empty."""
