"""A run as whoever scores its partitions gets it: this process, workers of ours, or the machines of an engine."""

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pyarrow as pa

from scoring.manifest import Done, Plan
from validation.errors import TableError

if TYPE_CHECKING:
    from scoring.work import Work


@dataclass(frozen=True)
class Job:
    """Scores partitions of a plan, wherever it is unpickled.

    Attributes:
        bundle: the folder of the model, which every machine finds there.
        plan: as JSON, by which a machine knows that it has begun with it.
        out: the address of the output.
    """

    bundle: Path
    plan: bytes
    out: str

    def __call__(self, number: int) -> tuple[int, Done | TableError]:
        """Score a partition; one that cannot be read is what came of it, and no error: engines try those again.

        Raises:
            BundleError: the model is not there.
            StoreError: the output cannot be written.
        """
        try:
            return number, _begun(self).score(number)
        except TableError as error:
            return number, error

    def on_one_core(self, number: int) -> tuple[int, Done | TableError]:
        """The same, in a process that has one of the processors."""
        pa.set_cpu_count(1)
        return self(number)


@functools.lru_cache(maxsize=1)
def _begun(job: Job) -> "Work":
    """The model and both ends, opened once in a process."""
    from scoring.work import Work  # with LightGBM, which takes seconds, and which the process of a run does without

    return Work(job.bundle, msgspec.json.decode(job.plan, type=Plan), job.out)
