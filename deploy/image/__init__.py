"""Images: how they are built, made small and proven."""
