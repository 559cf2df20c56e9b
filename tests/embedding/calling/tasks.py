from invoke import task

from pegasus.tasks import RunFailed, queue


@task
def look(c):
    """Call a task and look at its result."""
    result = queue(c, queue_file="work.yaml", warn=True)
    for attempt, ending in result.endings:
        print(attempt.node.label, attempt.command, ending.outcome.value, ending.exit_status)
    print("exit status", result.exit_status)


@task
def catch(c):
    """Call a task and catch its failure."""
    try:
        queue(c, queue_file="work.yaml")
    except RunFailed as failure:
        print("caught", failure.result.exit_status, len(failure.result.failed))
