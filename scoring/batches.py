"""One record batch of a table to the answers to its rows: what a run of our own does, and what other engines may call.

scorer = Scorer.open(Path("data/flights/bundle"))
answered = scorer.answers(batch)      # answered.answers and answered.refused are record batches
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import pyarrow as pa

from model import signatures, tabular
from model.predictor import Predictor, open_predictor
from scoring import columns
from validation.decode import MOST_ERRORS, Decoded
from validation.table import Table
from validation.wire import RowError

REFUSED = pa.schema(
    [(columns.ROW, pa.int64()), ("column", pa.string()), ("reason", pa.string()), ("expected", pa.list_(pa.string()))]
)
"""A line a reason why a row is refused: its place, the column (null: none), and what may have been meant."""
_VERSION = pa.dictionary(pa.int32(), pa.string())


class Answered(NamedTuple):
    """What came of a record batch.

    Attributes:
        answers: a row for each good row, with the columns of `Scorer.schema`.
        refused: the reasons why others are none, as `REFUSED` says.
        bad: how many rows were refused.
    """

    answers: pa.RecordBatch
    refused: pa.RecordBatch
    bad: int


class Scorer:
    """Answers record batches. It holds no state between calls and may be called from several threads.

    Attributes:
        schema: of the answers, whatever the batch: `row`, the columns of `model.tabular`, `model_version`; with
            `explain` SHAP values, `base_value` and a `contribution_…` for each input.
    """

    def __init__(self, predictor: Predictor, *, explain: bool = False, text: bool = False) -> None:
        """Answer by a model.

        Args:
            predictor: the model.
            explain: whether answers have SHAP values beside them.
            text: whether columns are texts that stand for values, as those of a CSV file.
        """
        self.predictor = predictor
        self._explain, self._text = explain, text
        contract = predictor.contract
        self._inputs = [column.name for column in contract.inputs]
        self._taken = (*contract.inputs, *contract.keys)
        self._step = max(1, MOST_ERRORS // len(self._taken))
        self.schema = self._schema()

    @classmethod
    def open(cls, directory: Path, *, explain: bool = False, text: bool = False) -> Self:
        """The scorer of the model in a bundle directory; raises BundleError."""
        return cls(open_predictor(directory, signatures.trusted_here()), explain=explain, text=text)

    def _schema(self) -> pa.Schema:
        outcome, contract = self.predictor.outcome, self.predictor.contract
        nothing = tabular.answers(outcome, self.predictor.scores([]))
        kinds = {name: pa.string() if cells.dtype == object else pa.float64() for name, cells in nothing.items()}
        kinds |= {"warnings": pa.string()}
        kinds |= {f"key_{key.name}": columns.STORED[key.kind] for key in contract.keys}
        fields = [(name, kinds[name]) for name in tabular.columns(outcome, contract)]
        shap = [("base_value", pa.float64()), *((f"contribution_{name}", pa.float64()) for name in self._inputs)]
        return pa.schema(
            [(columns.ROW, pa.int64()), *fields, (columns.VERSION, _VERSION), *(shap if self._explain else ())]
        )

    def answers(self, batch: pa.RecordBatch, first: int | np.ndarray = 0) -> Answered:
        """Judge and answer the rows of a batch.

        Args:
            batch: with the columns of the contract, in any order.
            first: the place of its first row, or those of all, shape (rows,): what answers and reasons say in `row`.

        Raises:
            TableError: its columns are not those of the contract.
        """
        columns.demand(self.predictor.contract, batch.schema.names)
        places = np.arange(len(batch)) + first if isinstance(first, int) else first
        table = self.table(batch)
        decoded = self.predictor.decode(table)
        refused = _refused(self._reasons(table, decoded), places)
        return Answered(self._answers(batch, table, decoded, places), refused, len(batch) - len(decoded.positions))

    def table(self, batch: pa.RecordBatch) -> Table:
        """The columns of a batch that a model takes, as requests would bring them."""
        brought = columns.parsed if self._text else columns.values
        there = [column for column in self._taken if column.name in batch.schema.names]
        return Table({column.name: brought(column, batch.column(column.name)) for column in there}, len(batch))

    def _answers(self, batch: pa.RecordBatch, table: Table, decoded: Decoded, places: np.ndarray) -> pa.RecordBatch:
        """The record batch of the good rows."""
        scores = self.predictor.scores(decoded.inputs)
        rows = len(scores)
        cells: dict[str, pa.Array] = {columns.ROW: pa.array(places[decoded.positions], pa.int64())}
        for name, found in tabular.answers(self.predictor.outcome, scores).items():
            cells[name] = pa.array(found, self.schema.field(name).type)
        cells["warnings"] = _warnings(decoded.warnings, rows)
        good = None if rows == len(batch) else np.array(decoded.positions, dtype=np.int64)
        for key in self.predictor.contract.keys:
            cells[f"key_{key.name}"] = self._key(key.name, batch, table, good)
        version = pa.array([self.predictor.version], pa.string())
        cells[columns.VERSION] = pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, dtype=np.int32)), version)
        if self._explain:
            cells |= self._contributions(decoded)
        return pa.RecordBatch.from_arrays([cells[name] for name in self.schema.names], schema=self.schema)

    def _key(self, name: str, batch: pa.RecordBatch, table: Table, good: np.ndarray | None) -> pa.Array:
        key = next(key for key in self.predictor.contract.keys if key.name == name)
        if name not in table.columns:
            return pa.nulls(len(batch) if good is None else len(good), columns.STORED[key.kind])
        array, brought = batch.column(name), table.columns[name]
        if good is not None:
            array = array.take(pa.array(good))
            brought = brought[good] if isinstance(brought, np.ndarray) else [brought[place] for place in good.tolist()]
        return columns.kept(key, array, brought)

    def _contributions(self, decoded: Decoded) -> dict[str, pa.Array]:
        # always from tables: the same rows get the same digits, whatever was scored before them
        values = self.predictor.contributions(decoded.inputs, always=True)
        named = dict(zip(self._inputs, values.T, strict=False))
        shap = {f"contribution_{name}": pa.array(np.ascontiguousarray(each)) for name, each in named.items()}
        return {"base_value": pa.array(np.ascontiguousarray(values[:, -1])), **shap}

    def _reasons(self, table: Table, decoded: Decoded) -> Sequence[RowError]:
        """Every reason, of which the decoder lists the first only: the rows are asked for a few at a time then."""
        if decoded.error_count == len(decoded.errors):
            return decoded.errors
        bad = np.setdiff1d(np.arange(len(table)), decoded.positions)
        reasons: list[RowError] = []
        for start in range(0, len(bad), self._step):
            places = bad[start : start + self._step]
            again = self.predictor.decode(table.rows(places))
            reasons += [RowError(int(places[one.row]), one.column, one.message, one.expected) for one in again.errors]
        return reasons


def _refused(reasons: Sequence[RowError], places: np.ndarray) -> pa.RecordBatch:
    rows = places[np.array([reason.row for reason in reasons], dtype=np.intp)]
    cells = [
        pa.array(rows, pa.int64()),
        pa.array([reason.column for reason in reasons], pa.string()),
        pa.array([reason.message for reason in reasons], pa.string()),
        pa.array([reason.expected for reason in reasons], pa.list_(pa.string())),
    ]
    return pa.RecordBatch.from_arrays(cells, schema=REFUSED)


def _warnings(told: Mapping[int, Sequence[str]], rows: int) -> pa.Array:
    """The warnings of each row as one text, empty where there are none."""
    if not told:
        return pa.repeat(pa.scalar("", pa.string()), rows)
    return pa.array(["; ".join(told.get(place, ())) for place in range(rows)], pa.string())
