"""A model that is served: decoding, batching and explaining, behind admission control."""

import asyncio
import contextlib
import datetime
import functools
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from model import bundle
from model.record import Role
from serving import description
from serving.access.caller import ANYONE, Caller
from serving.admission import TABLE_ROWS, Gate, Waiting
from serving.explaining import explanations
from serving.quick import Answers, Quick, awaited
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
)

if TYPE_CHECKING:
    from model.predictor import Predictor

_MARKDOWN, _PAGE = bundle.CARDS


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
        gate, tables = Gate(shared.loop, seconds, waiting), Gate(shared.loop, seconds, waiting, TABLE_ROWS)
        self._quick = Quick(predictor, self.metrics, shared, gate, tables)
        quick = self._quick
        self.predicting = Verb("predict", self.predict, gate, False, quick.predict, quick.predict_all)
        self.scoring = Verb("predict", self.score, tables, watched=False, soon=self._quick.score)
        self.answering = Verb("predict", self.answer_each, gate, watched=False, soon=self._quick.answer_each)
        waiting = Waiting(self.metrics.waiting("explain"))
        gate = Gate(shared.thread, seconds_a_row(predictor.explain, rows), waiting)
        self.explaining = Verb("explain", self.explain, gate, watched=True)
        self._observed = predictor.outcome.observed
        self._large = asyncio.Lock()
        self._shared = shared
        self._scorers = shared.scorers
        self.bodies = shared.bodies
        """The budget for the bodies of all requests of the process."""
        self._seconds = shared.settings.max_answer_seconds
        # those of the evaluation are rows of the table, with names that only known callers may read
        self.examples = [predictor.contract.example()] if shared.settings.told_to_all else opened.examples
        """Rows to show in the OpenAPI document how it is asked; one at least."""
        self._description = description.of(opened, labels)
        self._cards = opened.cards
        self.since = datetime.datetime.now(datetime.UTC)
        """When it began to answer here."""

    def request_metrics(self, transport: str, verb: str) -> RequestMetrics:
        """What counts the requests of a transport to this model."""
        return RequestMetrics(transport, verb, self.predictor.name, self.predictor.version)

    def _scores(self, inputs: Inputs) -> np.ndarray:
        """The scores of a part of a request; see `Predictor.scores`."""
        self.predicting.gate.waiting.show()
        self.metrics.batch_rows.observe(count(inputs))
        return self.predictor.scores(inputs)

    async def predict(
        self, rows: Sequence[object], *, partial: bool = False, role: Role = "", caller: Caller = ANYONE
    ) -> Predictions | PartialPredictions:
        """Answer rows.

        Args:
            rows: as JSON gave them.
            partial: whether to answer the good rows beside the errors of the others.
            role: what the journal is to say that this model was, see `Record`.
            caller: who asks.

        Raises:
            RowsRejected: a row does not satisfy the contract, and not `partial`.
            Overloaded: it would have to wait too long, or took too long.
        """
        gate, quick = self.predicting.gate, self._quick
        if len(rows) <= gate.part:
            return await awaited(functools.partial(quick.predict, rows, partial=partial, role=role, caller=caller))
        with gate.admit(len(rows), caller):
            decoded, answers, scores = await self._predict_in_parts(rows, partial)
        quick.journalled(rows, decoded, scores, answers, caller, role)
        return quick.document(decoded, answers)

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
            self._quick.checked(decoded, partial)
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

    async def score(self, rows: Table, *, partial: bool = False, role: Role = "", caller: Caller = ANYONE) -> Answers:
        """Score the rows of a table, column by column. See `predict`."""
        gate, quick = self.scoring.gate, self._quick
        if len(rows) <= gate.part:
            return await awaited(functools.partial(quick.score, rows, partial=partial, role=role, caller=caller))
        with gate.admit(len(rows), caller):
            decoded, scores = await self._score_in_parts(rows, partial)
            self.metrics.answered(self._observed(scores))
        answers = Answers(self.predictor, decoded, scores, self.predictor.ids(len(scores)))
        quick.journalled(rows, decoded, scores, answers.ids, caller, role)
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
                self._quick.checked(decoded, partial)
                scored = await asyncio.gather(*futures)
            finally:
                for future in futures:
                    future.cancel()
        # as one core takes, since small tables are scored by one: the gate makes turns of it
        self.scoring.gate.took(len(table), seconds + sum(took for _, took in scored))
        return decoded, np.concatenate([scores for scores, _ in scored])

    async def explain(
        self, rows: Sequence[object], *, partial: bool = False, classes: Sequence[str] = (), caller: Caller = ANYONE
    ) -> Explanations | PartialExplanations:
        """Explain rows, off the event loop: SHAP values cost a hundred times what a prediction does. See `predict`.

        Raises UnreadableRequest for `classes` that the model does not have, see `Predictor.subjects`.
        """
        subjects = self.predictor.subjects(classes)
        self.explaining.gate.demand_small(len(rows), len(subjects))
        with self.explaining.gate.admit(len(rows), caller, as_rows=self.predictor.effort(len(rows))):
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
        return self._quick.checked(decoded, partial), records

    async def answer_each(
        self, rows: Sequence[object], *, partial: bool = True, role: Role = "", caller: Caller = ANYONE
    ) -> list[dict[str, Any]]:
        """Answer every row by itself, in order: a prediction, or the errors of that row and of no other.

        The answer is always partial, so the argument `partial` changes nothing.

        Raises:
            RequestTooLarge, Overloaded: as `predict` does.
        """
        gate, quick = self.predicting.gate, self._quick
        if len(rows) <= gate.part:
            return await awaited(functools.partial(quick.answer_each, rows, role=role, caller=caller))
        with gate.admit(len(rows), caller):
            answers: list[dict[str, Any]] = []
            last = Decoded()
            async with self._in_time(), self._large:
                async for part in gate.turns(rows):
                    each = quick.decoded_each(part, last)
                    last = each[-1]
                    answers += quick.answers_each(part, each, await quick.scores(each), caller, role)
            return answers

    def describe(self) -> description.Described:
        """What `GET /v1/models/{model}` says."""
        return self._description

    def card(self, *, page: bool) -> str | None:
        """The model card as a page or as Markdown; None if the bundle was sealed without one."""
        return self._cards.get(_PAGE if page else _MARKDOWN)
