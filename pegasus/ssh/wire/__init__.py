"""Paramiko's transport, made to notice dead hosts and to survive new keys."""
