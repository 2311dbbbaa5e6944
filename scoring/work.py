"""One partition: read, answered, written whole, and noted. This is what workers do."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from model import signatures
from model.predictor import open_predictor
from scoring import manifest
from scoring.batches import REFUSED, Answered, Scorer
from scoring.columns import ROW, Dropped
from scoring.inputs import CSV, Inputs, Rows
from scoring.manifest import Done, Output, Plan
from storage.place import Place, digest
from validation.errors import BundleError, TableError

QUARANTINE = "_quarantine"
_FILE = ("file", pa.dictionary(pa.int32(), pa.string()))


class Work:
    """What scores the partitions of one run, one after the other."""

    def __init__(self, bundle: Path, plan: Plan, out: str) -> None:
        """Open the model and both ends; raises BundleError if it is not the plan's, and StoreError."""
        predictor = open_predictor(bundle, signatures.trusted_here())
        if predictor.version != plan.version:
            raise BundleError(
                f"The model at {bundle} is {predictor.version}, and this run is of {plan.version}: it was replaced, or "
                "this machine has another. Bring that one back, and the same command goes on."
            )
        self._scorers = {text: Scorer(predictor, explain=plan.explain, text=text) for text in (False, True)}
        self._plan = plan
        self._digest = plan.digest
        left_out = Dropped(frozenset(plan.dropped), plan.drop_others)
        self._inputs = Inputs(plan.source, predictor.contract, left_out, plan.root)
        self._place = Place(out)

    def score(self, number: int) -> Done:
        """Score a partition and note it.

        Raises:
            TableError: it cannot be read; nothing of it is there.
            StoreError: it cannot be written; nothing of it is there either.
        """
        part = self._plan.partitions[number]
        file = self._plan.inputs[part.file]
        scorer = self._scorers[file.format == CSV]
        name, refused = f"part-{number:05}.parquet", f"{QUARANTINE}/part-{number:05}.parquet"
        good = bad = 0
        with self._place.writing(refused, lambda: bad > 0) as reasons, self._place.writing(name) as answers:
            with _Table(answers, scorer.schema, file.path) as table, _Table(reasons, REFUSED, file.path) as others:
                for rows in self._inputs.read(file, part):
                    answered = scorer.answers(rows.batch, rows.places)
                    table.add(answered.answers)
                    others.add(*_reasons(answered, rows))
                    good, bad = good + len(answered.answers), bad + answered.bad + len(rows.ragged)
            if good + bad != part.rows:
                raise TableError(
                    f"{self._inputs.path(file)} has {good + bad:,} rows from row {part.first:,} on, and had "
                    f"{part.rows:,} when the run began."
                )
            written = _output(name, answers), _output(refused, reasons) if bad else None
        done = Done(number, good, bad, *written)
        manifest.note(self._place, self._digest, done)
        return done


def _reasons(answered: Answered, rows: Rows) -> Iterator[pa.RecordBatch]:
    yield answered.refused
    if rows.ragged:
        told = [{ROW: place, "reason": reason} for place, reason in rows.ragged.items()]
        yield pa.RecordBatch.from_pylist(told, REFUSED)


class _Table:
    """A Parquet file of record batches, each with the name of the file that its rows came from."""

    def __init__(self, path: Path, schema: pa.Schema, file: str) -> None:
        self._schema = pa.schema([_FILE, *schema])
        self._name = pa.array([file], pa.string())
        self._sink = pa.OSFile(str(path), "wb")
        numbers = (pa.types.is_floating, pa.types.is_integer)  # of which nearly all differ: their dictionary costs time
        texts = [field.name for field in self._schema if not any(kind(field.type) for kind in numbers)]
        how: dict[str, Any] = {"compression": "zstd", "compression_level": 1, "use_dictionary": texts}
        self._writer = pq.ParquetWriter(self._sink, self._schema, **how)

    def add(self, *batches: pa.RecordBatch) -> None:
        """Write batches."""
        for batch in batches:
            if len(batch):
                codes = pa.repeat(pa.scalar(0, pa.int32()), len(batch))
                file = pa.DictionaryArray.from_arrays(codes, self._name)
                self._writer.write_batch(pa.RecordBatch.from_arrays([file, *batch.columns], schema=self._schema))

    def __enter__(self) -> "_Table":
        return self

    def __exit__(self, kind: type[BaseException] | None, *others: object) -> None:
        try:
            with contextlib.suppress(OSError) if kind else contextlib.nullcontext():
                self._writer.close()
        finally:
            self._sink.close()


def _output(name: str, path: Path) -> Output:
    with path.open("rb") as file:
        return Output(name, *digest(file))
