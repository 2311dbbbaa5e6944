"""What those who watch a model need to know of it; it travels with the reference rows of a version."""

from typing import Any

import msgspec

from model.outcomes import Outcome
from validation.contract import Contract, described

VERDICT, REPORT, METRICS = "verdict.json", "report.html", "metrics.prom"
"""What is written of a verdict into a model's folder of the watch store; the service reads the first and the last."""
METADATA = b"boxwood"
"""The key of `Watched`, as JSON, in the metadata of a Parquet file of reference rows."""
SPLIT, HELD_OUT, EARLIER = "reference.split", "test", "earlier"
"""The column that says whether the model learned from a row, and its two values; no contract has names with dots."""


class Watched(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A version of a model, for those who watch it.

    Attributes:
        model, version: its name, and the version that its answers name.
        contract: the columns, as a manifest has them.
        outcome: how scores become answers.
        importance: the mean size of each input's contribution, see `model.metrics.Importance`.
        loss: what the model is judged by, see `model.metrics.Metrics`.
        vocabularies: the names of each category that training saw.
        bounds: where the classes of a target with bins meet, see `model.features.Fitted`.
    """

    model: str
    version: str
    contract: list[dict[str, Any]]
    outcome: Outcome
    importance: dict[str, float]
    loss: dict[str, str | float]
    vocabularies: dict[str, list[str]]
    bounds: list[float] = []

    def columns(self) -> Contract:
        """The contract; raises ContractError if this code cannot read it."""
        return described(self.contract)


def score_columns(outputs: int) -> list[str]:
    """The columns that hold the scores of reference rows and of compacted records."""
    return [f"score.{place}" for place in range(outputs)]
