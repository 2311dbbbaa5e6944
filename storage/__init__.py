"""Files at any address that fsspec knows, whole or not at all: what scoring and watching leave."""
