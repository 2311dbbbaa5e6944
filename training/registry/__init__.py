"""Versions in MLflow's registry, which of them is champion, and how it gets into BentoML's store."""
