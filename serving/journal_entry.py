"""What an answered request leaves to the journal, and what its rows say."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from model.record import Role
from validation.decode import Decoded
from validation.table import Table
from validation.wire import Prediction

if TYPE_CHECKING:
    from model.predictor import Predictor


class Entry(NamedTuple):
    """What a request leaves.

    Attributes:
        predictor: what answered.
        rows: all rows of the request, as they came.
        decoded: which of them are good.
        scores: of the good rows, shape (rows, outputs).
        answers: to them; those of a table are there as ids alone.
        places: which of the good rows to write.
        when: seconds since 1970.
        role: of the answer, see `Record`.
        caller: the id of who asked; empty where anybody may.
    """

    predictor: "Predictor"
    rows: Sequence[Any] | Table
    decoded: Decoded
    scores: np.ndarray
    answers: Sequence[Prediction] | Sequence[str]
    places: Sequence[int]
    when: float
    role: Role
    caller: str = ""


def sent(entry: Entry) -> list[dict[str, Any]]:
    """The rows of an entry's places as the caller sent them, with their keys."""
    positions = [entry.decoded.positions[place] for place in entry.places]
    return entry.rows.rows(np.array(positions)) if isinstance(entry.rows, Table) else [entry.rows[p] for p in positions]


def inputs(predictor: "Predictor", rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a model reads of rows as the caller sent them, which it answered; names are in the case that it knows."""
    chosen = _chosen([column.name for column in predictor.contract.inputs], rows)
    for name, read in predictor.in_any_case.items():
        for row in chosen:
            if isinstance(text := row.get(name), str):
                row[name] = read(text) or text
    return chosen


def keys(predictor: "Predictor", rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The key columns of rows as the caller sent them, whether they came as rows or as a table."""
    return _chosen([column.name for column in predictor.contract.keys], rows)


def _chosen(names: Sequence[str], rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: row[name] for name in names if name in row} for row in rows]
