"""Reference pages that say what the code says: `python -m docs.rendering` writes them, and a test reads them again."""
