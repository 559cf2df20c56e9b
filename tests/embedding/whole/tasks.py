from pegasus.tasks import ns  # noqa: F401
