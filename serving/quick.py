"""Few rows, answered in the turn of the event loop in which they came. Most requests are such, on every transport.

Each method takes what is to be told of the answer, and neither waits nor needs a task. Errors that are known at once
are raised; later ones are told.
"""

import asyncio
import functools
import itertools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import msgspec
import numpy as np

from model.outcomes.answer import Answer
from model.record import Role
from serving.access.caller import ANYONE, Caller
from serving.admission import Counted, Gate
from serving.batching import Batcher, settle
from serving.shared import Shared
from serving.telemetry import ModelMetrics
from validation.decode import Decoded, Inputs, count
from validation.table import Table
from validation.values import Value
from validation.wire import PartialPredictions, Prediction, Predictions, RowError

if TYPE_CHECKING:
    from model.predictor import Predictor

T = TypeVar("T")
Done = Callable[[T | Exception], object]
"""Takes an answer, or the error in place of it."""
Ask = Callable[[Done[T]], None]
"""Asks for an answer, which it tells; raises the errors that are known at once."""


class Answers(NamedTuple):
    """A model's answers to a table.

    Attributes:
        predictor: what answered.
        decoded: the rows.
        scores: of the valid ones, shape (valid rows, outputs).
        ids: theirs.
    """

    predictor: "Predictor"
    decoded: Decoded
    scores: np.ndarray
    ids: Sequence[str]


class Few(NamedTuple):
    """What one caller asks for.

    Attributes:
        rows: as JSON gave them, no more than a turn may have.
        partial: whether to answer the good ones beside the errors of the others.
        caller: who asks; it was found that there is room.
        role: what the journal is to say of the answers.
    """

    rows: Sequence[object]
    partial: bool
    caller: Caller
    role: Role = ""


class Scored(NamedTuple):
    """What came of good rows.

    Attributes:
        scores: of shape (rows, outputs).
        answers: what they say.
        ids: of the answers.
    """

    scores: np.ndarray
    answers: Sequence[Answer]
    ids: Sequence[str]


class _Batch:
    """What came of a batch, made at once for all of its rows."""

    def __init__(self, predictor: "Predictor", scores: np.ndarray) -> None:
        self._scores = scores
        self._answers = predictor.outcome.answers(scores)
        self._ids = predictor.ids(len(scores))

    def __getitem__(self, rows: slice) -> Scored:
        return Scored(self._scores[rows], self._answers[rows], self._ids[rows])


class Quick:
    """Answers few rows of one model; to be used on one event loop."""

    def __init__(self, predictor: "Predictor", metrics: ModelMetrics, shared: Shared, rows: Gate, tables: Gate) -> None:
        """Answer by `predictor`; the gates admit rows, and tables."""
        self._predictor = predictor
        self._metrics = metrics
        self._shared = shared
        self._rows, self._tables = rows, tables
        self._merge = bool(shared.settings.batching)
        self._batcher: Batcher[Any] = Batcher(self._batch, self._turn, merge=self._merge)

    def _turn(self) -> int:
        return self._rows.part

    def _batch(self, inputs: Inputs) -> _Batch:
        """Score a batch, and count its answers."""
        self._rows.waiting.show()
        self._metrics.batch_rows.observe(count(inputs))
        scores = self._predictor.scores(inputs)
        self._metrics.answered(self._predictor.outcome.observed(scores))
        return _Batch(self._predictor, scores)

    def predict(
        self,
        rows: Sequence[object],
        done: Done[Predictions | PartialPredictions],
        *,
        partial: bool = False,
        role: Role = "",
        caller: Caller = ANYONE,
    ) -> None:
        """Answer rows as JSON gave them; see `ServedModel.predict`."""
        self._rows.demand_room(len(rows), caller)
        decoded = self.checked(self._predictor.decode(rows), partial)

        def answered(scored: Scored) -> Predictions | PartialPredictions:
            answers = self._predictor.sent(decoded, scored.answers, scored.ids)
            self.journalled(rows, decoded, scored.scores, answers, caller, role)
            return self.document(decoded, answers)

        self._scored(self._rows.counted(len(rows), caller), decoded.inputs, answered, done)

    def predict_all(self, asked: Sequence[tuple[Few, Done[Any]]]) -> None:
        """Answer several callers, each of which is told what `predict` would tell."""
        if self._at_once(asked):
            return
        for few, done in asked:
            try:
                self.predict(few.rows, done, partial=few.partial, role=few.role, caller=few.caller)
            except Exception as error:  # noqa: BLE001 whoever waits is told of it
                done(error)

    def _at_once(self, asked: Sequence[tuple[Few, Done[Any]]]) -> bool:
        """Answer callers whose rows are all good as if one had asked, which takes half the time.

        Returns:
            Whether they are told; if not, nothing was done.
        """
        rows = [row for few, _ in asked for row in few.rows]
        if (len(asked) > 1 and not self._merge) or len(rows) > self._rows.part:
            return False
        caller, role = asked[0][0].caller, asked[0][0].role
        if self._shared.journal is not None and any(few.caller is not caller or few.role != role for few, _ in asked):
            return False
        decoded = self._predictor.decode(rows)
        if decoded.error_count:
            return False
        try:
            with self._rows.counted(len(rows)):
                scored = self._batch(decoded.records)[:]
            answers = self._predictor.sent(self.checked(decoded, partial=False), scored.answers, scored.ids)
        except Exception:  # noqa: BLE001 whose row that is will be found one by one
            return False
        self.journalled(rows, decoded, scored.scores, answers, caller, role)
        rest = iter(answers)
        for few, done in asked:
            done(self.document(decoded, list(itertools.islice(rest, len(few.rows)))))
        return True

    def score(
        self, rows: Table, done: Done[Answers], *, partial: bool = False, role: Role = "", caller: Caller = ANYONE
    ) -> None:
        """Score the rows of a table; see `ServedModel.score`."""
        self._tables.demand_room(len(rows), caller)
        decoded = self.checked(self._predictor.decode(rows), partial)

        def answered(scored: Scored) -> Answers:
            self.journalled(rows, decoded, scored.scores, scored.ids, caller, role)
            return Answers(self._predictor, decoded, scored.scores, scored.ids)

        self._scored(self._tables.counted(len(rows), caller), decoded.inputs, answered, done)

    def answer_each(
        self,
        rows: Sequence[object],
        done: Done[list[dict[str, Any]]],
        *,
        partial: bool = True,
        role: Role = "",
        caller: Caller = ANYONE,
    ) -> None:
        """Answer each row by itself; see `ServedModel.answer_each`."""
        self._rows.demand_room(len(rows), caller)
        each = self.decoded_each(rows, Decoded())

        def answered(scored: Scored) -> list[dict[str, Any]]:
            return self.answers_each(rows, each, scored, caller, role)

        self._scored(self._rows.counted(len(rows), caller), _records(each), answered, done)

    def _scored(self, counted: Counted, inputs: Inputs, answered: Callable[[Scored], T], done: Done[T]) -> None:
        """Have good rows scored, and tell what is answered."""
        counted.begin()

        def told(scored: Scored | Exception) -> None:
            counted.end()
            try:
                answer = scored if isinstance(scored, Exception) else answered(scored)
            except Exception as error:  # noqa: BLE001 whoever waits is told of it
                answer = error
            done(answer)

        if not isinstance(inputs, dict):
            self._batcher.add(inputs, told)
            return
        try:
            scored: Scored | Exception = self._batch(inputs)[:]  # columns are a batch of their own
        except Exception as error:  # noqa: BLE001 whoever waits is told of it, and the table waits no longer
            scored = error
        told(scored)

    def checked(self, decoded: Decoded, partial: bool) -> Decoded:
        """`decoded` itself, with its warnings counted; raises RowsRejected for invalid rows unless `partial`."""
        if not partial:
            decoded.raise_if_rejected()
        if decoded.warned:
            self._metrics.unseen(decoded.warned)
        return decoded

    def document(self, decoded: Decoded, answers: list[Prediction]) -> Predictions | PartialPredictions:
        """What the callers of `predict` get."""
        name, version = self._predictor.name, self._predictor.version
        if not decoded.error_count:
            return Predictions(name, version, answers)
        return PartialPredictions(name, version, decoded.scatter(answers), decoded.errors, decoded.error_count)

    def journalled(
        self,
        rows: Sequence[object] | Table,
        decoded: Decoded,
        scores: np.ndarray,
        answers: Sequence[Prediction] | Sequence[str],
        caller: Caller,
        role: Role = "",
    ) -> None:
        """Leave answered rows to the journal, if there is one."""
        if self._shared.journal is not None:
            self._shared.journal.add(self._predictor, rows, decoded, scores, answers, role, caller.id)

    def decoded_each(self, rows: Sequence[object], last: Decoded) -> list[Decoded]:
        """Each row decoded by itself; `last` is the one before them in the request, empty where there is none.

        Errors are counted for each row, but what finding names and hints for them may cost is that of one request.
        """
        each = []
        for row in rows:
            last = self.checked(self._predictor.decode([row], last.apart()), partial=True)
            each.append(last)
        return each

    def scores(self, each: Sequence[Decoded]) -> "asyncio.Future[Scored]":
        """What came of the good ones of rows that were decoded each by itself."""
        return self._batcher.submit(_records(each))

    def answers_each(
        self, rows: Sequence[object], each: Sequence[Decoded], scored: Scored, caller: Caller, role: Role
    ) -> list[dict[str, Any]]:
        """The answers to rows that were decoded each by itself: its errors, or what came of it."""
        places = itertools.count()
        return [
            {"errors": [_without_row(error) for error in decoded.errors]}
            if decoded.error_count
            else self._answer_alone(row, decoded, scored, next(places), caller, role)
            for row, decoded in zip(rows, each, strict=True)
        ]

    def _answer_alone(
        self, row: object, decoded: Decoded, scored: Scored, place: int, caller: Caller, role: Role
    ) -> dict[str, Any]:
        """The answer to a good row that was decoded by itself."""
        of_row = slice(place, place + 1)
        answers = self._predictor.sent(decoded, scored.answers[of_row], scored.ids[of_row])
        self.journalled([row], decoded, scored.scores[of_row], answers, caller, role)
        name, version = self._predictor.name, self._predictor.version
        return {"model_name": name, "model_version": version, **msgspec.to_builtins(answers[0])}


def _records(each: Sequence[Decoded]) -> list[tuple[Value, ...]]:
    return [record for decoded in each for record in decoded.records]


def awaited(asked: Ask[T]) -> "asyncio.Future[T]":
    """What `asked` tells, for those who wait."""
    future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
    asked(functools.partial(settle, future))
    return future


def _without_row(error: RowError) -> dict[str, Any]:
    """An error without its row number: it stands beside its row, whose number in the batch means nothing to callers."""
    return {name: value for name, value in msgspec.to_builtins(error).items() if name != "row"}
