"""Releases: how a revision gets its traffic, and how it is taken back."""
