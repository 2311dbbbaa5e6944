"""The models that a service holds, by name."""

import asyncio
import concurrent.futures
import contextlib
import time
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
import numpy as np

from model import bundle
from serving.admission import Gate
from serving.batching import PART, Batcher
from serving.settings import Settings
from serving.telemetry import Calls, ModelMetrics
from validation.decode import Decoded, Records
from validation.errors import Overloaded, UnknownModel
from validation.values import shown
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
MOST_CHOICES = 1_000
"""A category with more names than this is described without them."""


class Verb(Protocol):
    """What a model does with rows."""

    def __call__(self, rows: Sequence[object], *, partial: bool) -> Coroutine[Any, Any, Any]:
        """Answer rows; raises RowsRejected unless a part of them will do."""


class ServedModel:
    """A predictor with its batcher, ready to answer on an event loop."""

    def __init__(
        self,
        predictor: "Predictor",
        metrics: ModelMetrics,
        labels: Mapping[str, str],
        cards: Mapping[str, str],
        settings: Settings,
        explainer: concurrent.futures.Executor,
    ) -> None:
        """Serve `predictor`, described by the `labels` of the store and the `cards` of its bundle."""
        self.predictor = predictor
        self._explainer = explainer
        self._seconds = settings.max_answer_seconds
        self._large = asyncio.Lock()
        self.metrics = metrics
        self._predicting = Gate(settings.max_waiting_rows, self.metrics.waiting("predict"))
        self._explaining = Gate(settings.max_waiting_explanations, self.metrics.waiting("explain"))
        self._labels = labels
        self._cards = cards
        self._batcher = Batcher(self._scores, merge=bool(settings.batching))

    def calls(self, transport: str, verb: str) -> Calls:
        """Who counts the requests of a transport to this model."""
        return Calls(transport, verb, self.predictor.name, self.predictor.version)

    def _scores(self, records: Records) -> np.ndarray:
        """The scores of a batch; see `Predictor.scores`."""
        self._predicting.show()
        scores = self.predictor.scores(records)
        self.metrics.predicted(scores[:, 0].tolist())
        return scores

    async def predict(self, rows: Sequence[object], *, partial: bool = False) -> Predictions | PartialPredictions:
        """Answer rows.

        Args:
            rows: as JSON gave them.
            partial: whether to answer the good rows beside the errors of the others.

        Raises:
            RowsRejected: a row does not satisfy the contract, and not `partial`.
            Overloaded: too many rows are waiting, or it took too long.
        """
        with self._predicting.admit(len(rows)):
            if len(rows) <= PART:
                decoded = self._checked(self.predictor.decode(rows), partial)
                answers = self.predictor.answers(decoded, await self._batcher.submit(decoded.records))
            else:
                decoded, answers = await self._predict_in_parts(rows, partial)
        name, version = self.predictor.name, self.predictor.version
        if not decoded.refused:
            return Predictions(name, version, answers)
        return PartialPredictions(name, version, decoded.spread(answers), decoded.errors)

    async def _predict_in_parts(self, rows: Sequence[object], partial: bool) -> tuple[Decoded, list[Prediction]]:
        """One large request at a time: several that took turns would hold up single rows as many times as long."""
        answers: list[Prediction] = []
        async with self._in_time(), self._large:
            decoded = await self._decode_in_parts(rows, partial)
            for first in range(0, len(decoded.records), PART):
                scores = await self._batcher.submit(decoded.records[first : first + PART])
                answers += self.predictor.answers(decoded, scores, first)
        return decoded, answers

    async def explain(self, rows: Sequence[object], *, partial: bool = False) -> Explanations | PartialExplanations:
        """Explain rows, off the event loop: SHAP values cost a hundred times what a prediction does. See `predict`."""
        with self._explaining.admit(len(rows)):
            self._explaining.show()
            async with self._in_time():
                decoded = await self._decode_in_parts(rows, partial)
                answer = self.predictor.annotated(await self._explanations(decoded.records), decoded)
        if not decoded.refused:
            return answer
        places = decoded.spread(answer.explanations)
        return PartialExplanations(answer.model_name, answer.model_version, places, decoded.errors)

    async def _explanations(self, records: Records) -> Explanations:
        """Part by part in one thread, so that requests take turns; LightGBM lets the event loop run beside it."""
        loop = asyncio.get_running_loop()
        answer = await loop.run_in_executor(self._explainer, self.predictor.explanations, records[:PART])
        for start in range(PART, len(records), PART):
            part = records[start : start + PART]
            answer.explanations.extend(
                (await loop.run_in_executor(self._explainer, self.predictor.explanations, part)).explanations
            )
        return answer

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
        decoded = self.predictor.decode(rows[:PART])
        for start in range(PART, len(rows), PART):
            await asyncio.sleep(0)
            self.predictor.decode(rows[start : start + PART], after=decoded)
        return self._checked(decoded, partial)

    def _checked(self, decoded: Decoded, partial: bool) -> Decoded:
        for texts in decoded.warnings.values():
            for text in texts:
                self.metrics.unseen(text.split(":")[0])
        return decoded if partial else decoded.whole()

    async def answer_each(self, rows: Sequence[object]) -> list[dict[str, Any]]:
        """Answer every row by itself, in order: a prediction, or the errors of that row and of no other."""
        decoded = [self.predictor.decode([row]) for row in rows]
        merged = self.predictor.decode([])
        for one in decoded:
            if not one.refused:
                merged.extend(one)
        scores = await self._batcher.submit(merged.records)
        good = iter(msgspec.to_builtins(self.predictor.predictions(merged, scores).predictions))
        return [
            {"errors": [_without_row(error) for error in one.errors]}
            if one.refused
            else {"model_name": self.predictor.name, "model_version": self.predictor.version, **next(good)}
            for one in decoded
        ]

    def describe(self) -> dict[str, Any]:
        """What `GET /v1/models/{model}` says: contract, metrics and where the model comes from."""
        manifest = self.predictor.manifest
        vocabularies = manifest.fitted.vocabularies
        contract = [{**column, **_choices(vocabularies.get(column["name"], []))} for column in manifest.contract]
        return {
            "name": self.predictor.name,
            "version": self.predictor.version,
            "title": self.predictor.problem.title,
            "ready": True,
            "contract": contract,
            "metrics": manifest.metrics,
            "lineage": {
                "model": f"{manifest.problem}:{manifest.version}",
                **self._labels,
                **(msgspec.to_builtins(manifest.lineage) if manifest.lineage else {}),
            },
        }

    def card(self, *, page: bool) -> str | None:
        """The model card as a page or as Markdown; None if the bundle was sealed without one."""
        return self._cards.get(_PAGE if page else _MARKDOWN)


def _without_row(error: RowError) -> dict[str, Any]:
    """An error beside its row needs no number for it, and the batch's would mean nothing to the caller."""
    return {name: value for name, value in msgspec.to_builtins(error).items() if name != "row"}


def _bounds(opened: bundle.Bundle) -> Sequence[float]:
    """Between what its predictions are counted: the deciles of the target in training, tenths of a probability."""
    target = opened.reference.columns.get(opened.problem.contract.target.name, {})
    return sorted(set(target.get("deciles", ()))) or [tenth / 10 for tenth in range(1, 10)]


def _choices(vocabulary: list[str]) -> dict[str, list[str]]:
    return {"choices": vocabulary} if 0 < len(vocabulary) <= MOST_CHOICES else {}


class Models:
    """The models of one service, the first of them being the default."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._explainer = concurrent.futures.ThreadPoolExecutor(1, "explain")
        self._served: dict[str, ServedModel] = {}

    def add(self, directory: Path, labels: Mapping[str, str]) -> None:
        """Read, audit, construct and prove one bundle.

        Raises:
            BundleError: it is damaged, made for other code, or does not answer its golden rows as it did in training.
        """
        # the supervisor imports this module too, and LightGBM would cost its start most of a second
        from model import golden
        from model.predictor import Predictor

        started = time.perf_counter()
        opened = bundle.read(directory)
        predictor = Predictor(opened)
        golden.replay(predictor, opened.golden)
        metrics = ModelMetrics(predictor.name, predictor.version, _bounds(opened))
        served = ServedModel(predictor, metrics, labels, opened.cards, self._settings, self._explainer)
        self._served[predictor.name] = served
        served.metrics.warm_up.set(time.perf_counter() - started)

    def __iter__(self) -> Iterator[ServedModel]:
        return iter(self._served.values())

    @property
    def default(self) -> ServedModel:
        """The model that unnamed requests go to."""
        return next(iter(self._served.values()))

    def find(self, name: str) -> ServedModel:
        """The model of that name; raises UnknownModel with the names there are."""
        try:
            return self._served[name]
        except KeyError:
            known = ", ".join(self._served)
            raise UnknownModel(f"There is no model {shown(name)} here. There are: {known}.") from None
