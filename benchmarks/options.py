"""The options of a run of the benchmark, and the ports of the servers."""

from pathlib import Path
from typing import NamedTuple

PORT = 8_123
GRPC_PORT = PORT + 1
COUNTS_PORT = PORT + 2
"""MLServer's metrics."""
PAGE_PORT = PORT + 3


class Bench(NamedTuple):
    """The folders and the durations of a run."""

    tag: str
    """The tag of the Bento."""
    home: Path
    """BENTOML_HOME, whose store has the Bento."""
    environments: Path
    """The folder of the peers' virtual environments."""
    work: Path
    """A folder for temporary files."""
    rounds: int
    seconds: int
    """The duration of one measurement, by default."""
    stall_seconds: int
    overload_seconds: int
