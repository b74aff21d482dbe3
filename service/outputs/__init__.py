"""Outputs: alerts told to other systems, one kind of receiver to a file."""
