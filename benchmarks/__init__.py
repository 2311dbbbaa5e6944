"""Boxwood beside its peers: one booster, one machine, one run. `make bench`."""
