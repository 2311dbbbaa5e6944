"""Engines that people already run, which score the partitions of a plan in place of processes of our own.

An engine says that it can begin, gets numbers of partitions and gives back what came of each, in any order:

    demand(address) -> None
    scored(address, job, numbers) -> Iterator[(number, Done | TableError)]

What it runs is `Job`, the same code on the same partitions. So its answers are the same files to the byte, and whatever
it does twice, because a machine was lost, is written over by the same.
"""

import importlib
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Literal, NamedTuple

from scoring.job import Job
from scoring.manifest import Done
from validation.errors import SettingsError, TableError

Name = Literal["spark", "dask"]


class Engine(NamedTuple):
    """An engine that is there.

    Attributes:
        name: which one.
        address: of its master or scheduler.
    """

    name: Name
    address: str

    def scored(self, job: Job, numbers: Sequence[int]) -> Iterator[tuple[int, Done | TableError]]:
        """Score partitions.

        Args:
            job: whose.
            numbers: which of them.

        Raises:
            SettingsError: the engine's package, or what that needs, is not installed here, or its address is none.
            StoreError: the engine was lost, or gave up; partitions that are there stay.
        """
        self.demand()
        found: Iterator[tuple[int, Done | TableError]] = self._module().scored(self.address, job, numbers)
        return found

    def demand(self) -> None:
        """Raise the same errors of an engine that cannot begin, as one that is not there."""
        self._module().demand(self.address)

    def _module(self) -> ModuleType:
        try:
            return importlib.import_module(f"scoring.engines.on_{self.name}")
        except ModuleNotFoundError as error:
            raise SettingsError(f"--engine {self.name} needs {error.name}, which `make engines` installs.") from error
