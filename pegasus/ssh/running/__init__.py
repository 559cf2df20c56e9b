"""One command on a host: started, followed, cancelled, and how it ended."""
