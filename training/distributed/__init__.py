"""Training on a cluster of Dask: a table that no machine holds, gated, learned and judged partition by partition."""
