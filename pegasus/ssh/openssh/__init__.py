"""What OpenSSH would do for a host: its configuration, worked out."""
