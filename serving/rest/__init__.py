"""HTTP: connections, endpoints, the protocols and their description."""
