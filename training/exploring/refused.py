"""The quarantine: how many rows were refused for which column by which gate."""

from collections import Counter
from typing import NamedTuple

from training.data import clean, gates
from training.exploring.looked import Looked

_GATES = {"unreadable": "cannot be read as its kind", "refused": "the contract does not allow it"}
_MISSING = "is missing, and the contract demands it"


class Refusal(NamedTuple):
    """Rows that were refused for one column by one gate."""

    column: str
    reason: str
    rows: int
    share: float


def counted(looked: Looked) -> list[Refusal]:
    """The refusals, those of most rows first; a row may be among several."""
    failures = looked.gated.failures
    if failures.empty:
        return []
    reasons = failures["kind"].map(_GATES).mask(failures["reason"] == gates.MISSING, _MISSING)
    named = failures.assign(why=reasons).drop_duplicates(["column", "why", "row"])
    counts = Counter(zip(named["column"], named["why"], strict=True))
    return [Refusal(column, why, rows, rows / len(looked.bronze)) for (column, why), rows in counts.most_common()]


def examples(looked: Looked) -> list[str]:
    """A line for each bad column with one cell as an example, and what would mend it; as training prints them."""
    failures = looked.gated.failures
    if failures.empty:
        return []
    return [line.strip() for line in clean.by_column(looked.problem.contract, failures).splitlines()]
