"""SHAP values: of few rows as LightGBM computes them, of many from tables of the trees' patterns."""

from model.contributions.bulk import BulkContributions
from model.contributions.explainer import Explainer, effort
from model.contributions.trees import NotTabulated

__all__ = ["BulkContributions", "Explainer", "NotTabulated", "effort"]
