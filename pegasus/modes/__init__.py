"""What a run does with queue, nodes and connections, which are handed in."""
