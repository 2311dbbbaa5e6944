"""From the answers of a model to a verdict on it: drift, outcomes, estimated performance, retraining."""
