"""The prediction problems: one module or folder each, with its contract and, where it needs them, fit and features."""
