"""A problem from a table that nobody has described: its contract as a module that a person goes on from."""
