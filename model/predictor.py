"""The Predictor: decoded rows in, answers and explanations out. It knows no transport and no table."""

import itertools
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import lightgbm as lgb
import msgspec
import numpy as np
from msgspec import UNSET

from model import bundle as bundles
from model.bundle import Bundle
from model.contributions import Explainer, effort
from model.features import FeatureMatrix, ownership
from model.model import BOOSTER, SPREAD, Model
from model.outcomes.answer import Answer
from model.outcomes.labels import ALL_CLASSES
from model.reference import Reference
from model.signatures import Trusted
from model.trees import TreeScorer
from validation.contract import Contract
from validation.decode import Columns, Decoded, Inputs, to_arrays
from validation.decode_columns import ColumnDecoder
from validation.decode_rows import RowDecoder
from validation.errors import BundleError, UnreadableRequest
from validation.lookup import Lookup
from validation.table import Table
from validation.values import quoted
from validation.wire import ClassContributions, Explanation, Explanations, Prediction, Predictions


class Predictor:
    """One model, ready to answer. Its methods hold no state between calls and may be called from several threads."""

    def __init__(self, model: Model, version: str = "", reference: Reference | None = None) -> None:
        """Construct the boosters of a model.

        Args:
            model: what answers.
            version: what answers say that it is.
            reference: what training saw, for warnings of values far from it and for names to suggest; none yet where a
                model is asked before it is bundled.

        Raises:
            BundleError: a booster does not fit the model.
        """
        seen = Reference() if reference is None else reference
        self.model = model
        self.problem = model.problem
        self.contract = model.problem.contract
        self.name = model.problem.name
        self.version = version
        learned = model.fitted.vocabularies
        self.lookups = {
            column.name: Lookup(seen.names(column, learned.get(column.name, ()))) for column in self.contract.categories
        }
        self._rows = RowDecoder(self.contract, learned, _ranges(self.contract, seen), self.lookups)
        self._table = ColumnDecoder(self._rows)
        self.in_any_case = self._rows.in_any_case
        self._matrix = FeatureMatrix(model.problem, model.fitted)
        self.outcome = model.outcome
        self._booster = _booster(model, BOOSTER, model.outcome.raw_scores)
        self._raw = TreeScorer(self._booster, raw_score=True)
        spread = _booster(model, SPREAD, 1) if SPREAD in model.boosters else None
        self._spread = None if spread is None else TreeScorer(spread, raw_score=False)
        self._inputs = [column.name for column in self.contract.inputs]
        self._unit = self.contract.target.answer_unit or UNSET
        # unique like a UUID and ten times as cheap: chance for the process, a count for the answer
        self._ids, self._count = secrets.token_hex(8), itertools.count(secrets.randbits(32))
        owners = ownership(model.fitted.feature_names, self._inputs)
        self._contributions = Explainer(self._booster, model.boosters[BOOSTER], owners)

    @classmethod
    def of(cls, bundle: Bundle) -> Self:
        """The predictor of an audited bundle; raises BundleError if a booster does not fit its manifest."""
        return cls(bundle.model, bundle.manifest.version, bundle.reference)

    def decode(self, rows: Sequence[object] | Table, after: Decoded | None = None) -> Decoded:
        """Read JSON rows, or a table, by this model's contract and vocabularies; never raises.

        The verdicts on a table are those on its rows. See `RowDecoder.decode` and `ColumnDecoder.decode`.
        """
        return self._table.decode(rows, after) if isinstance(rows, Table) else self._rows.decode(rows, after)

    def scores(self, inputs: Inputs) -> np.ndarray:
        """What the answers to decoded rows are made of, shape (rows, outputs).

        Returns:
            A regression's value, low and high end of its interval; the probability of the positive one of two classes,
            or of each of several.
        """
        columns, matrix = self._features(inputs)
        return self._scores(columns, matrix, self._raw(matrix))

    def _features(self, inputs: Inputs) -> tuple[Columns, np.ndarray]:
        columns = to_arrays(self.contract.inputs, inputs)
        return columns, self._matrix(columns)

    def _scores(self, columns: Columns, matrix: np.ndarray, raw: np.ndarray) -> np.ndarray:
        spread = raw if self._spread is None else self._spread(matrix)
        return self.outcome.scores(raw, spread, columns)

    def contributions(self, inputs: Inputs, threads: int = 1, *, always: bool = False) -> np.ndarray:
        """SHAP values of decoded rows, in the space of the outcome; of several classes, those of the answered one.

        Many rows at once are explained at least 30 times as fast as few, and the same to about 14 digits.

        Args:
            inputs: the rows.
            threads: by how many SHAP values are computed.
            always: whether rows are explained as many are, however few they are; see `Explainer`.

        Returns:
            Shape (rows, inputs + 1), in the order of `Contract.inputs`, the base value last.
        """
        scores, values = self._explained(inputs, threads, always=always)
        return self._of_answers(scores, values)

    def effort(self, rows: int) -> int:
        """How many rows take as long, a few at a time, as so many at once; they are fewer where that is faster."""
        return effort(rows)

    def prepare_bulk(self) -> int:
        """Get ready to explain many rows; returns how many in one call, 0 where that gains nothing. See `Explainer`."""
        return self._contributions.prepare()

    def base_values(self, inputs: Inputs) -> list[float]:
        """The base value of each of the outcome's subjects; of one decoded row, since all rows have the same."""
        values: list[float] = self._explained(inputs)[1][0, :, -1].tolist()
        return values

    def _of_answers(self, scores: np.ndarray, values: np.ndarray) -> np.ndarray:
        """The SHAP values of what each answer explains, shape (rows, inputs + 1)."""
        explained: np.ndarray = values[np.arange(len(values)), self.outcome.explained(scores)]
        return explained

    def _explained(self, inputs: Inputs, threads: int = 1, *, always: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """Scores of shape (rows, outputs), and SHAP values of shape (rows, subjects, inputs + 1)."""
        columns, matrix = self._features(inputs)
        raw = self._raw(matrix)
        explained = self._contributions(matrix, threads, always=always)
        values = self.outcome.contributions(explained, raw, columns, self._inputs)
        return self._scores(columns, matrix, raw), values

    def predictions(self, decoded: Decoded, scores: np.ndarray) -> Predictions:
        """The answers to the good rows of a request, given their scores of shape (rows, outputs)."""
        return Predictions(self.name, self.version, self.answers(decoded, scores))

    def answers(self, decoded: Decoded, scores: np.ndarray, first: int = 0) -> list[Prediction]:
        """The answers to the good rows from `first` on, as many as there are scores of shape (rows, outputs)."""
        return self.sent(decoded, self.outcome.answers(scores), self.ids(len(scores)), first)

    def sent(self, decoded: Decoded, answers: Sequence[Answer], ids: Sequence[str], first: int = 0) -> list[Prediction]:
        """What callers get of answers to the good rows from `first` on, with as many ids."""
        unit, warnings = self._unit, decoded.warnings
        rows = zip(answers, ids, decoded.keys[first : first + len(answers)], strict=True)
        return [
            Prediction(
                prediction=answer.prediction,
                unit=unit,
                interval=answer.interval,
                probabilities=answer.probabilities,
                prediction_set=answer.prediction_set,
                warnings=warnings.get(place, []),
                prediction_id=prediction_id,
                keys=sent or UNSET,
            )
            for place, (answer, prediction_id, sent) in enumerate(rows, first)
        ]

    def ids(self, count: int) -> list[str]:
        """New ids of predictions, as many as `count`."""
        return [f"{self._ids}{number:016x}" for number in itertools.islice(self._count, count)]

    def subjects(self, classes: Sequence[str]) -> list[str]:
        """The classes of these names, each once; all where "*" is among them. Raises UnreadableRequest for others."""
        known = self.outcome.subjects
        if classes and not known:
            raise UnreadableRequest(f"The model '{self.name}' predicts a number: it has no classes to explain.")
        unknown = next((label for label in classes if label not in (*known, ALL_CLASSES)), None)
        if unknown is not None:
            raise UnreadableRequest(
                f"There is no class {quoted(unknown)} to explain. There are: {', '.join(known)}; {ALL_CLASSES} is all. "
                "Name each by itself."
            )
        return [*known] if ALL_CLASSES in classes else [*dict.fromkeys(classes)]

    def explanations(self, inputs: Inputs, classes: Sequence[str] = ()) -> list[Explanation]:
        """SHAP values of decoded rows; they and the base value add up to what the outcome's space says.

        Args:
            inputs: the rows.
            classes: of which of the outcome's subjects there are to be SHAP values beside those of the answer.
        """
        scores, values = self._explained(inputs)
        subjects = [*self.outcome.subjects]
        wanted = [(label, subjects.index(label)) for label in classes]
        answers, of_answers = self.outcome.answers(scores), self._of_answers(scores, values).tolist()
        explained = []
        for row, (answer, place) in enumerate(zip(answers, self.outcome.explained(scores).tolist(), strict=True)):
            explained.append(
                Explanation(
                    answer.prediction,
                    self.outcome.space,
                    *self._named(of_answers[row]),
                    explained_class=subjects[place] if subjects else UNSET,
                    classes=[ClassContributions(name, *self._named(values[row, at].tolist())) for name, at in wanted]
                    or UNSET,
                    probabilities=answer.probabilities,
                )
            )
        return explained

    def _named(self, values: list[float]) -> tuple[float, dict[str, float]]:
        """The base value, and what each input contributes."""
        return values[-1], dict(zip(self._inputs, values[:-1], strict=True))

    @staticmethod
    def annotated(explained: Sequence[Explanation], decoded: Decoded) -> list[Explanation]:
        """Explanations beside the warnings and keys of their rows, where there are any."""
        return [
            msgspec.structs.replace(explanation, warnings=decoded.warnings.get(place, UNSET), keys=keys or UNSET)
            for place, (explanation, keys) in enumerate(zip(explained, decoded.keys, strict=True))
        ]

    def predict(self, rows: Sequence[object]) -> Predictions:
        """Decode and answer; raises RowsRejected if a row does not satisfy the contract."""
        decoded = self.decode(rows).raise_if_rejected()
        return self.predictions(decoded, self.scores(decoded.inputs))

    def explain(self, rows: Sequence[object]) -> Explanations:
        """Decode and explain; raises RowsRejected if a row does not satisfy the contract."""
        decoded = self.decode(rows).raise_if_rejected()
        explained = self.annotated(self.explanations(decoded.inputs), decoded)
        return Explanations(self.name, self.version, explained)


def open_predictor(directory: Path, trusted: Trusted | None = None) -> Predictor:
    """Read, audit and construct the model in a bundle directory, which one of the keys signed; raises BundleError."""
    return Predictor.of(bundles.read(directory, trusted))


def _ranges(contract: Contract, reference: Reference) -> dict[str, tuple[float, float]]:
    """The least and the greatest value that training saw of each number and time."""
    deciles = {column.name: reference.deciles(column) for column in contract.inputs}
    return {name: (seen[0], seen[-1]) for name, seen in deciles.items() if seen}


def _booster(model: Model, name: str, outputs: int) -> lgb.Booster:
    """The booster in a file; raises BundleError if it does not give that many scores a row: the scorer has no room."""
    problem = model.problem.name
    try:
        booster = lgb.Booster(model_str=model.boosters[name])
    except lgb.basic.LightGBMError as error:
        raise BundleError(f"{name} of '{problem}' is not a LightGBM model: {error}") from error
    found = booster.num_model_per_iteration()
    if found != outputs:
        raise BundleError(f"{name} of '{problem}' has {found} outputs a row; this model has {outputs}.")
    if booster.feature_name() != model.fitted.feature_names:
        raise BundleError(f"{name} of '{problem}' was trained on other features than its manifest has.")
    return booster
