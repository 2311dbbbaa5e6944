"""How a table is worked on by a cluster: the section `cluster` of params.yaml."""

from typing import Annotated

import msgspec

Positive = Annotated[int, msgspec.Meta(ge=1)]


class ClusterParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The size of what is held in memory at a time, and how often a training is begun again.

    Attributes:
        sample: about how many rows of the table come to the machine that runs the command.
        partition: the most rows that a worker reads at a time.
        trainings: how often a training is begun, where workers are lost in it.
    """

    sample: Annotated[int, msgspec.Meta(ge=1_000)] = 500_000
    partition: Annotated[int, msgspec.Meta(ge=100)] = 250_000
    trainings: Positive = 4
