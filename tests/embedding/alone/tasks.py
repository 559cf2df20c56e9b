from invoke import task

from pegasus.tasks import queue  # noqa: F401


@task
def mine(c):
    """A task of the user's own."""
    print("mine")
