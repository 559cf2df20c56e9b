"""Connections to nodes. Only modules of this package import fabric and paramiko."""
