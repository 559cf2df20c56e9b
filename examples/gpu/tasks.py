"""`inv queue`, `inv status` and the others, in this folder."""

from pegasus.tasks import ns

__all__ = ["ns"]
