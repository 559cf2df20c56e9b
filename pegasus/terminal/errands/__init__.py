"""What the errands show: each file is for the one of the same name, or a part of it."""
