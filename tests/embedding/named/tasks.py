from invoke import Collection, task

import pegasus.tasks


@task
def mine(c):
    """A task of the user's own."""
    print("mine")


ns = Collection(mine)
ns.add_collection(pegasus.tasks, name="cluster")
