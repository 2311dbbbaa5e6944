"""Image to traffic: what runs on Cloud Run, and which revision answers. It knows the service over the network only."""
