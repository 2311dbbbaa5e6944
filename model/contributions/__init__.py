"""SHAP values of many rows at once: the trees as tables of patterns, from which a row's contributions are gathered."""

from model.contributions.bulk import BulkContributions
from model.contributions.trees import NotTabulated

__all__ = ["BulkContributions", "NotTabulated"]
