"""What a model is worth: metrics, plots, the report and the card."""
