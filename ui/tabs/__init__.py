"""The tabs of one model. Each asks the service when it is opened or used, and shows the answer."""
