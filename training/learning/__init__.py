"""Rows become a model, and the model a bundle."""
