"""A model at work: decoding, batching and explaining, and how much of it may wait."""

import asyncio
import concurrent.futures
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec, Protocol, TypeVar

import msgspec
import numpy as np

from model import bundle
from serving import description
from serving.admission import Gate, Resource
from serving.batching import Batcher
from serving.bodies import Bodies
from serving.settings import Settings
from serving.telemetry import Calls, ModelMetrics
from validation.decode import Decoded, Records
from validation.errors import Overloaded
from validation.wire import (
    Explanation,
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
_TRIES = 3
"""How often the golden rows are timed at the start: a process that just began is often interrupted."""
P = ParamSpec("P")
T = TypeVar("T")


class Shared:
    """What the models of a service have in common."""

    def __init__(self, settings: Settings) -> None:
        """Make it for one process."""
        self.settings = settings
        self.loop, self.thread = Resource(settings), Resource(settings)
        self.bodies = Bodies(settings)
        self.explainer = concurrent.futures.ThreadPoolExecutor(1, "explain")
        """The one thread in which explanations are made."""


class Ask(Protocol):
    """How rows are answered."""

    def __call__(self, rows: Sequence[object], *, partial: bool) -> Coroutine[Any, Any, Any]:
        """Answer rows; raises RowsRejected unless a part of them will do, and Overloaded."""


class Verb(NamedTuple):
    """What a model does with rows."""

    name: str
    ask: Ask
    gate: Gate
    """Whether there is time for more of them."""
    watched: bool
    """Whether even a turn of it takes so long that somebody looks whether the caller is still there."""

    @property
    def cancel_above_rows(self) -> int:
        """Up to so many rows are answered without a look whether their caller is still there."""
        return 0 if self.watched else self.gate.part


class ServedModel:
    """A predictor with its batcher, ready to answer on an event loop."""

    def __init__(
        self, predictor: "Predictor", opened: bundle.Bundle, labels: Mapping[str, str], shared: "Shared"
    ) -> None:
        """Serve `predictor` of the bundle `opened`, described by the `labels` of the store."""
        self.predictor = predictor
        self.metrics = ModelMetrics(predictor.name, predictor.version, _bounds(opened))
        rows = opened.golden.rows
        self.predicting = Verb(
            "predict", self.predict, self._gate("predict", shared.loop, predictor.predict, rows), watched=False
        )
        self.explaining = Verb(
            "explain", self.explain, self._gate("explain", shared.thread, predictor.explain, rows), watched=True
        )
        self._batcher = Batcher(self._scores, self._part, merge=bool(shared.settings.batching))
        self._large = asyncio.Lock()
        self._explainer = shared.explainer
        self.bodies = shared.bodies
        """What all requests of the process read their bodies into."""
        self._seconds = shared.settings.max_answer_seconds
        self._description = description.of(opened, labels)
        self._cards = opened.cards

    def _gate(
        self, verb: str, resource: Resource, ask: Callable[[Sequence[object]], object], rows: Sequence[object]
    ) -> Gate:
        """A gate that knows from rows how long one takes."""
        seconds = min(_timed(ask, rows)[1] for _ in range(_TRIES))
        return Gate(resource, seconds / len(rows), self.metrics.waiting(verb))

    def calls(self, transport: str, verb: str) -> Calls:
        """Who counts the requests of a transport to this model."""
        return Calls(transport, verb, self.predictor.name, self.predictor.version)

    def _part(self) -> int:
        """How many rows are decoded and scored in a turn of the event loop."""
        return self.predicting.gate.part

    def _scores(self, records: Records) -> np.ndarray:
        """The scores of a batch; see `Predictor.scores`."""
        self.predicting.gate.show()
        self.metrics.batch_rows.observe(len(records))
        return self.predictor.scores(records)

    async def predict(self, rows: Sequence[object], *, partial: bool = False) -> Predictions | PartialPredictions:
        """Answer rows.

        Args:
            rows: as JSON gave them.
            partial: whether to answer the good rows beside the errors of the others.

        Raises:
            RowsRejected: a row does not satisfy the contract, and not `partial`.
            Overloaded: it would have to wait too long, or took too long.
        """
        with self.predicting.gate.admit(len(rows)):
            if len(rows) <= self._part():
                decoded = self._checked(self.predictor.decode(rows), partial)
                scores = await self._batcher.submit(decoded.records)
                self.metrics.answered(scores[:, 0].tolist())
                answers = self.predictor.answers(decoded, scores)
            else:
                decoded, answers = await self._predict_in_parts(rows, partial)
        name, version = self.predictor.name, self.predictor.version
        if not decoded.refused:
            return Predictions(name, version, answers)
        return PartialPredictions(name, version, decoded.scatter(answers), decoded.errors, decoded.refused)

    async def _predict_in_parts(self, rows: Sequence[object], partial: bool) -> tuple[Decoded, list[Prediction]]:
        """One large request at a time: several that took turns would hold up single rows as many times as long."""
        answers: list[Prediction] = []
        values: list[list[float]] = []
        async with self._in_time(), self._large:
            decoded = self.predictor.decode([])
            async for part in self.predicting.gate.turns(rows):
                (made, scores), seconds = _timed(self._predict_part, part, decoded, partial)
                answers += made
                values.append(scores)
                if made:  # reading alone says nothing of how long an answer takes
                    self.predicting.gate.took(len(part), seconds)
            self._checked(decoded, partial)
            for part_values in values:
                self.metrics.answered(part_values)
                await asyncio.sleep(0)
        return decoded, answers

    def _predict_part(
        self, rows: Sequence[object], decoded: Decoded, partial: bool
    ) -> tuple[list[Prediction], list[float]]:
        """The answers to a part of a request and what they say; none where it is refused anyway.

        The rows before it are in `decoded`.
        """
        first = len(decoded.records)
        self.predictor.decode(rows, after=decoded)
        if decoded.refused and not partial:
            return [], []
        scores = self._scores(decoded.records[first:])
        return self.predictor.answers(decoded, scores, first), scores[:, 0].tolist()

    async def explain(self, rows: Sequence[object], *, partial: bool = False) -> Explanations | PartialExplanations:
        """Explain rows, off the event loop: SHAP values cost a hundred times what a prediction does. See `predict`."""
        with self.explaining.gate.admit(len(rows)):
            self.explaining.gate.show()
            async with self._in_time():
                decoded = await self._decode_in_parts(rows, partial)
                explained = self.predictor.annotated(await self._explanations(decoded.records), decoded)
        name, version = self.predictor.name, self.predictor.version
        if not decoded.refused:
            return Explanations(name, version, explained)
        return PartialExplanations(name, version, decoded.scatter(explained), decoded.errors, decoded.refused)

    async def _explanations(self, records: Records) -> list[Explanation]:
        """Part by part in one thread, so that requests take turns; LightGBM lets the event loop run beside it."""
        loop = asyncio.get_running_loop()
        explained: list[Explanation] = []
        while len(explained) < len(records):
            part = records[len(explained) : len(explained) + self.explaining.gate.part]
            made, seconds = await loop.run_in_executor(self._explainer, _timed, self.predictor.explanations, part)
            self.explaining.gate.took(len(part), seconds)
            explained += made
        return explained

    @contextlib.asynccontextmanager
    async def _in_time(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._seconds):
                yield
        except TimeoutError:
            raise Overloaded(
                f"The answer was not ready after {self._seconds} seconds. Send the request again, or send it in parts."
            ) from None

    async def _decode_in_parts(self, rows: Sequence[object], partial: bool) -> Decoded:
        """Decode a request; others have their turn after each part of a large one."""
        decoded = self.predictor.decode([])
        async for part in self.predicting.gate.turns(rows):
            self.predictor.decode(part, after=decoded)
        return self._checked(decoded, partial)

    def _checked(self, decoded: Decoded, partial: bool) -> Decoded:
        """This, if it will do; counts what was odd about the rows that get an answer."""
        if not partial:
            decoded.raise_if_rejected()
        for column in decoded.warned:
            self.metrics.unseen(column)
        return decoded

    async def answer_each(self, rows: Sequence[object]) -> list[dict[str, Any]]:
        """Answer every row by itself, in order: a prediction, or the errors of that row and of no other.

        Raises:
            RequestTooLarge, Overloaded: as `predict` does.
        """
        with self.predicting.gate.admit(len(rows)):
            if len(rows) <= self._part():
                return (await self._answer_part(rows, 0))[0]
            answers: list[dict[str, Any]] = []
            compared = 0
            async with self._in_time(), self._large:
                async for part in self.predicting.gate.turns(rows):
                    answered, compared = await self._answer_part(part, compared)
                    answers += answered
            return answers

    async def _answer_part(self, rows: Sequence[object], compared: int) -> tuple[list[dict[str, Any]], int]:
        """The answers to a turn's rows, and how many letters were compared for their errors and those before.

        Errors are counted row by row, but names are looked for within the budget of one request.
        """
        decoded = []
        merged = self.predictor.decode([])
        for row in rows:
            one = self._checked(self.predictor.decode([row], Decoded(0, compared=compared)), partial=True)
            compared = one.compared
            decoded.append(one)
            if not one.refused:
                merged.extend(one)
        scores = await self._batcher.submit(merged.records)
        self.metrics.answered(scores[:, 0].tolist())
        good = iter(msgspec.to_builtins(self.predictor.predictions(merged, scores).predictions))
        name, version = self.predictor.name, self.predictor.version
        answers = [
            {"errors": [_without_row(error) for error in one.errors]}
            if one.refused
            else {"model_name": name, "model_version": version, **next(good)}
            for one in decoded
        ]
        return answers, compared

    def describe(self) -> description.Described:
        """What `GET /v1/models/{model}` says."""
        return self._description

    def card(self, *, page: bool) -> str | None:
        """The model card as a page or as Markdown; None if the bundle was sealed without one."""
        return self._cards.get(_PAGE if page else _MARKDOWN)


def _timed(work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> tuple[T, float]:
    """What a piece of work returns, and how many seconds it took."""
    started = time.perf_counter()
    return work(*arguments, **named), time.perf_counter() - started


def _without_row(error: RowError) -> dict[str, Any]:
    """An error beside its row needs no number for it, and the batch's would mean nothing to the caller."""
    return {name: value for name, value in msgspec.to_builtins(error).items() if name != "row"}


def _bounds(opened: bundle.Bundle) -> Sequence[float]:
    """Between what its predictions are counted: the deciles of the target in training, tenths of a probability."""
    target = opened.reference.columns.get(opened.problem.contract.target.name, {})
    return sorted(set(target.get("deciles", ()))) or [tenth / 10 for tenth in range(1, 10)]
