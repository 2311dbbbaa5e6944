"""A model that is served: decoding, batching and explaining, behind admission control."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np

from model import bundle
from model.record import Role
from serving import description
from serving.admission import TABLE_ROWS, Gate, Waiting
from serving.batching import Batcher
from serving.explaining import explanations
from serving.shared import Shared
from serving.telemetry import ModelMetrics, RequestMetrics, bounds
from serving.timing import seconds_a_row, timed
from serving.verbs import Verb
from validation.decode import Decoded, Inputs, Records, count
from validation.errors import Overloaded
from validation.table import Table
from validation.wire import (
    Explanations,
    PartialExplanations,
    PartialPredictions,
    Prediction,
    Predictions,
    RowError,
)

if TYPE_CHECKING:
    from model.predictor import Predictor

_MARKDOWN, _PAGE = bundle.CARDS


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
    ids: list[str]


class ServedModel:
    """A predictor with its batcher, ready to answer on an event loop."""

    def __init__(
        self, predictor: "Predictor", opened: bundle.Bundle, labels: Mapping[str, str], shared: "Shared"
    ) -> None:
        """Serve `predictor` of the bundle `opened`, described by the `labels` of the store."""
        self.predictor = predictor
        self.metrics = ModelMetrics(predictor.name, predictor.version, bounds(opened))
        rows = opened.golden.rows
        waiting = Waiting(self.metrics.waiting("predict"))
        seconds = seconds_a_row(predictor.predict, rows)
        self.predicting = Verb("predict", self.predict, Gate(shared.loop, seconds, waiting), watched=False)
        self.scoring = Verb("predict", self.score, Gate(shared.loop, seconds, waiting, TABLE_ROWS), watched=False)
        self.answering = Verb("predict", self.answer_each, self.predicting.gate, watched=False)
        waiting = Waiting(self.metrics.waiting("explain"))
        gate = Gate(shared.thread, seconds_a_row(predictor.explain, rows), waiting)
        self.explaining = Verb("explain", self.explain, gate, watched=True)
        self._observed = predictor.outcome.observed
        self._batcher = Batcher(self._scores, self._part, merge=bool(shared.settings.batching))
        self._large = asyncio.Lock()
        self._scorers = shared.scorers
        self.bodies = shared.bodies
        """The budget for the bodies of all requests of the process."""
        self._shared = shared
        self._seconds = shared.settings.max_answer_seconds
        self._description = description.of(opened, labels)
        self._cards = opened.cards

    def request_metrics(self, transport: str, verb: str) -> RequestMetrics:
        """What counts the requests of a transport to this model."""
        return RequestMetrics(transport, verb, self.predictor.name, self.predictor.version)

    def _part(self) -> int:
        """How many rows are decoded and scored in a turn of the event loop."""
        return self.predicting.gate.part

    def _scores(self, inputs: Inputs) -> np.ndarray:
        """The scores of a batch; see `Predictor.scores`."""
        self.predicting.gate.waiting.show()
        self.metrics.batch_rows.observe(count(inputs))
        return self.predictor.scores(inputs)

    async def predict(
        self, rows: Sequence[object], *, partial: bool = False, role: Role = ""
    ) -> Predictions | PartialPredictions:
        """Answer rows.

        Args:
            rows: as JSON gave them.
            partial: whether to answer the good rows beside the errors of the others.
            role: what the journal is to say that this model was, see `Record`.

        Raises:
            RowsRejected: a row does not satisfy the contract, and not `partial`.
            Overloaded: it would have to wait too long, or took too long.
        """
        with self.predicting.gate.admit(len(rows)):
            if len(rows) <= self._part():
                decoded = self._checked(self.predictor.decode(rows), partial)
                scores = await self._batcher.submit(decoded.records)
                self.metrics.answered(self._observed(scores))
                answers = self.predictor.answers(decoded, scores)
            else:
                decoded, answers, scores = await self._predict_in_parts(rows, partial)
        self._journalled(rows, decoded, scores, answers, role)
        name, version = self.predictor.name, self.predictor.version
        if not decoded.error_count:
            return Predictions(name, version, answers)
        return PartialPredictions(name, version, decoded.scatter(answers), decoded.errors, decoded.error_count)

    def _journalled(
        self,
        rows: Sequence[object] | Table,
        decoded: Decoded,
        scores: np.ndarray,
        answers: Sequence[Prediction] | Sequence[str],
        role: Role = "",
    ) -> None:
        """Leave answered rows to the journal, if there is one."""
        if self._shared.journal is not None:
            self._shared.journal.add(self.predictor, rows, decoded, scores, answers, role)

    async def _predict_in_parts(
        self, rows: Sequence[object], partial: bool
    ) -> tuple[Decoded, list[Prediction], np.ndarray]:
        """One large request at a time: several in turns would delay single rows by one turn each."""
        answers: list[Prediction] = []
        predicted: list[np.ndarray] = []
        async with self._in_time(), self._large:
            decoded = Decoded()
            async for part in self.predicting.gate.turns(rows):
                (part_answers, scores), seconds = timed(self._predict_part, part, decoded, partial)
                answers += part_answers
                predicted.append(scores)
                if part_answers:  # reading alone says nothing of how long an answer takes
                    self.predicting.gate.took(len(part), seconds)
            self._checked(decoded, partial)
            for part_scores in predicted:
                self.metrics.answered(self._observed(part_scores))
                await asyncio.sleep(0)
        return decoded, answers, np.concatenate(predicted)

    def _predict_part(
        self, rows: Sequence[object], decoded: Decoded, partial: bool
    ) -> tuple[list[Prediction], np.ndarray]:
        """The answers to a part of a request, and their scores, shape (rows, outputs); none if it is refused.

        `decoded` has the rows of the parts before it, and gets those of this one.
        """
        first = len(decoded.positions)
        records = self.predictor.decode(rows, after=decoded).records
        if decoded.error_count and not partial:
            return [], self._scores([])
        scores = self._scores(records)
        return self.predictor.answers(decoded, scores, first), scores

    async def score(self, rows: Table, *, partial: bool = False, role: Role = "") -> Answers:
        """Score the rows of a table, column by column. See `predict`."""
        with self.scoring.gate.admit(len(rows)):
            if len(rows) > self.scoring.gate.part:
                decoded, scores = await self._score_in_parts(rows, partial)
            else:
                decoded = self._checked(self.predictor.decode(rows), partial)
                inputs = decoded.inputs
                # a few rows join a batch; columns are scored as a batch of their own
                scores = self._scores(inputs) if isinstance(inputs, dict) else await self._batcher.submit(inputs)
            self.metrics.answered(self._observed(scores))
        answers = Answers(self.predictor, decoded, scores, self.predictor.ids(len(scores)))
        self._journalled(rows, decoded, scores, answers.ids, role)
        return answers

    async def _score_in_parts(self, table: Table, partial: bool) -> tuple[Decoded, np.ndarray]:
        """Decode the parts of a table in turns of the event loop, and score them in threads, on all cores."""
        decoded, seconds = Decoded(), 0.0
        futures: list[asyncio.Future[tuple[np.ndarray, float]]] = []
        loop = asyncio.get_running_loop()
        async with self._in_time(), self._large:
            try:
                async for part in self.scoring.gate.turns(table):
                    _, took = timed(self.predictor.decode, part, decoded)
                    seconds += took
                    if partial or not decoded.error_count:
                        self.scoring.gate.waiting.show()
                        self.metrics.batch_rows.observe(count(decoded.inputs))
                        work = self._scorers.submit(timed, self.predictor.scores, decoded.inputs)
                        futures.append(asyncio.wrap_future(work, loop=loop))
                self._checked(decoded, partial)
                scored = await asyncio.gather(*futures)
            finally:
                for future in futures:
                    future.cancel()
        # as one core takes, since small tables are scored by one: the gate makes turns of it
        self.scoring.gate.took(len(table), seconds + sum(took for _, took in scored))
        return decoded, np.concatenate([scores for scores, _ in scored])

    async def explain(
        self, rows: Sequence[object], *, partial: bool = False, classes: Sequence[str] = ()
    ) -> Explanations | PartialExplanations:
        """Explain rows, off the event loop: SHAP values cost a hundred times what a prediction does. See `predict`.

        Raises UnreadableRequest for `classes` that the model does not have, see `Predictor.subjects`.
        """
        subjects = self.predictor.subjects(classes)
        self.explaining.gate.demand_small(len(rows), len(subjects))
        with self.explaining.gate.admit(len(rows), as_rows=self.predictor.effort(len(rows))):
            self.explaining.gate.waiting.show()
            async with self._in_time():
                decoded, records = await self._decode_in_parts(rows, partial)
                found = await explanations(self.predictor, self.explaining.gate, self._shared, records, subjects)
                explained = self.predictor.annotated(found, decoded)
        name, version = self.predictor.name, self.predictor.version
        if not decoded.error_count:
            return Explanations(name, version, explained)
        return PartialExplanations(name, version, decoded.scatter(explained), decoded.errors, decoded.error_count)

    @contextlib.asynccontextmanager
    async def _in_time(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._seconds):
                yield
        except TimeoutError:
            raise Overloaded(
                f"The answer was not ready after {self._seconds} seconds. Send the request again, or send it in parts."
            ) from None

    async def _decode_in_parts(self, rows: Sequence[object], partial: bool) -> tuple[Decoded, Records]:
        """The decoded rows of a request, and the records of the valid ones; others take turns between its parts."""
        decoded = Decoded()
        records: list[Any] = []
        async for part in self.predicting.gate.turns(rows):
            records += self.predictor.decode(part, after=decoded).records
        return self._checked(decoded, partial), records

    def _checked(self, decoded: Decoded, partial: bool) -> Decoded:
        """`decoded` itself, with its warnings counted; raises RowsRejected for invalid rows unless `partial`."""
        if not partial:
            decoded.raise_if_rejected()
        if decoded.warned:
            self.metrics.unseen(decoded.warned)
        return decoded

    async def answer_each(self, rows: Sequence[object], *, partial: bool = True) -> list[dict[str, Any]]:
        """Answer every row by itself, in order: a prediction, or the errors of that row and of no other.

        The answer is always partial, so the argument `partial` changes nothing.

        Raises:
            RequestTooLarge, Overloaded: as `predict` does.
        """
        with self.predicting.gate.admit(len(rows)):
            if len(rows) <= self._part():
                return (await self._answer_part_each(rows, 0))[0]
            answers: list[dict[str, Any]] = []
            compared = 0
            async with self._in_time(), self._large:
                async for part in self.predicting.gate.turns(rows):
                    answered, compared = await self._answer_part_each(part, compared)
                    answers += answered
            return answers

    async def _answer_part_each(self, rows: Sequence[object], compared: int) -> tuple[list[dict[str, Any]], int]:
        """The answers to the rows of a turn, and how many letters were compared for errors of the request so far.

        Errors are counted for each row, but the budget for finding similar names is that of one request.
        """
        decoded_rows = []
        for row in rows:
            decoded_row = self._checked(self.predictor.decode([row], Decoded(compared=compared)), partial=True)
            compared = decoded_row.compared
            decoded_rows.append(decoded_row)
        records = [record for decoded_row in decoded_rows for record in decoded_row.records]
        scores = await self._batcher.submit(records)
        self.metrics.answered(self._observed(scores))
        row_scores = iter(scores[:, None])
        pairs = zip(rows, decoded_rows, strict=True)
        return [self._answer_alone(row, decoded_row, row_scores) for row, decoded_row in pairs], compared

    def _answer_alone(self, row: object, decoded: Decoded, scores: Iterator[np.ndarray]) -> dict[str, Any]:
        """The answer to a row that was decoded by itself: its errors, or the prediction of the next scores."""
        if decoded.error_count:
            return {"errors": [_without_row(error) for error in decoded.errors]}
        row_scores = next(scores)
        [answer] = self.predictor.answers(decoded, row_scores)
        self._journalled([row], decoded, row_scores, [answer])
        name, version = self.predictor.name, self.predictor.version
        return {"model_name": name, "model_version": version, **msgspec.to_builtins(answer)}

    def describe(self) -> description.Described:
        """What `GET /v1/models/{model}` says."""
        return self._description

    def card(self, *, page: bool) -> str | None:
        """The model card as a page or as Markdown; None if the bundle was sealed without one."""
        return self._cards.get(_PAGE if page else _MARKDOWN)


def _without_row(error: RowError) -> dict[str, Any]:
    """An error without its row number: it stands beside its row, whose number in the batch means nothing to callers."""
    return {name: value for name, value in msgspec.to_builtins(error).items() if name != "row"}
