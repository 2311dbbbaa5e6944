"""What an engine runs on its machines, partition by partition."""

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

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
        """Score a partition; one that cannot be read is no error of the engine, which would try it again.

        Raises:
            BundleError: the model is not there.
            StoreError: the output cannot be written.
        """
        try:
            return number, _begun(self).score(number)
        except TableError as error:
            return number, error


@functools.lru_cache(maxsize=1)
def _begun(job: Job) -> "Work":
    """The model and both ends, opened once in a process."""
    import msgspec
    import pyarrow as pa

    from scoring.work import Work

    pa.set_cpu_count(1)
    return Work(job.bundle, msgspec.json.decode(job.plan, type=Plan), job.out)
