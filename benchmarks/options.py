"""What a run of the benchmark was told, and where the servers listen."""

from pathlib import Path
from typing import NamedTuple

PORT = 8_123
GRPC_PORT = PORT + 1
COUNTS_PORT = PORT + 2
"""Where MLServer tells its own counts."""
PAGE_PORT = PORT + 3


class Bench(NamedTuple):
    """Where things are and how long to measure."""

    tag: str
    """The Bento."""
    home: Path
    """BentoML's, which holds it."""
    environments: Path
    """Of the peers."""
    work: Path
    """A folder for what is written on the way."""
    rounds: int
    seconds: int
    """One measurement, where a measure does not say otherwise."""
    stall_seconds: int
    overload_seconds: int
