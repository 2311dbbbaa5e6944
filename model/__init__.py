"""What a model is at run time: the bundle format and the Predictor. Nothing here knows a transport."""
