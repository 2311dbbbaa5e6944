"""Answers over the wire: batching, HTTP, lifecycle and settings. One Predictor a model, thin transports over it."""
