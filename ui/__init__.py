"""The demo page: a process of its own, which knows nothing but what the service says over HTTP."""
