"""Cloud Monitoring: what callers of a revision met, and who is told when something is wrong."""
