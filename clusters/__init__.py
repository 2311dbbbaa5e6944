"""Clusters that people already run, asked in one way: what scoring and training share of them."""
