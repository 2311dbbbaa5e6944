"""Scoring of tables of any size: from files to files, through the Predictor that answers requests."""
