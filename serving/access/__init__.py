"""Who may ask, for what, and how much: keys, identity tokens, quotas, and a line for each request."""
