"""Tables for problems whose real one needs an account or a download: seeded, and said to be simulated."""
