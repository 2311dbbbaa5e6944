"""The documentation, and the programs that make a site and reference pages of it."""
