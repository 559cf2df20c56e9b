"""A multi-node SSH command runner: the queue is a plain file, the tasks are Invoke's."""

__version__ = "0.1.0"
