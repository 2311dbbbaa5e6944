"""The Predictor: decoded rows in, answers and explanations out. It knows no transport and no table."""

import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
from msgspec import UNSET

from model import bundle as bundles
from model.bundle import Bundle
from model.features import FeatureMatrix
from problems.base import owners
from validation.decode import Decoded, Records, RowDecoder, to_arrays
from validation.errors import BundleError
from validation.wire import Explanation, Explanations, Prediction, Predictions


class Predictor:
    """One model, ready to answer. Its methods hold no state between calls and may be called from several threads."""

    def __init__(self, bundle: Bundle) -> None:
        """Construct the booster of an audited bundle; raises BundleError if it does not fit its manifest."""
        manifest = bundle.manifest
        self.manifest = manifest
        self.problem = bundle.problem
        self.contract = bundle.problem.contract
        self.name = manifest.problem
        self.version = manifest.version
        self._decoder = RowDecoder(self.contract, manifest.fitted.vocabularies)
        self._matrix = FeatureMatrix(bundle.problem, manifest.fitted)
        try:
            self._booster = lgb.Booster(model_str=bundle.model)
        except lgb.basic.LightGBMError as error:
            raise BundleError(f"{bundles.MODEL} of '{self.name}' is not a LightGBM model: {error}") from error
        if self._booster.feature_name() != manifest.fitted.feature_names:
            raise BundleError(f"{bundles.MODEL} of '{self.name}' was trained on other features than its manifest has.")
        self._owners = _ownership(manifest.fitted.feature_names, [column.name for column in self.contract.inputs])

    def decode(self, rows: Sequence[object]) -> Decoded:
        """Read JSON rows by this model's contract and vocabularies; never raises."""
        return self._decoder.decode(rows)

    def scores(self, records: Records) -> np.ndarray:
        """Raw scores of decoded rows, shape (rows,)."""
        return self._predict(self._features(records))

    def _features(self, records: Records) -> np.ndarray:
        return self._matrix(to_arrays(self.contract.inputs, records))

    def _contributions(self, matrix: np.ndarray) -> np.ndarray:
        """SHAP values summed to the caller's columns.

        Args:
            matrix: the model matrix, shape (rows, features).

        Returns:
            Shape (rows, inputs + 1), in the order of `Contract.inputs`, the base value last; rows add up to the raw
            score. TreeSHAP as LightGBM computes it (Lundberg et al., "Consistent Individualized Feature Attribution
            for Tree Ensembles", 2018).
        """
        values = self._predict(matrix, pred_contrib=True)
        grouped: np.ndarray = np.column_stack([values[:, :-1] @ self._owners, values[:, -1]])
        return grouped

    def _predict(self, matrix: np.ndarray, **how: Any) -> np.ndarray:
        if not len(matrix):  # LightGBM refuses a matrix without rows
            return np.empty((0, len(self._matrix.names) + 1) if how else 0)
        # one thread: a single row costs 0.04 ms so and 0.8 ms and more with two
        scores: np.ndarray = self._booster.predict(matrix, num_threads=1, **how)
        return scores

    def predictions(self, decoded: Decoded, scores: np.ndarray) -> Predictions:
        """The answer to the good rows of a request, given their raw scores."""
        unit = self.contract.target.unit or UNSET
        answers = [
            Prediction(
                prediction=score,
                unit=unit,
                warnings=decoded.warnings.get(place, []),
                prediction_id=uuid.uuid4().hex,
                keys=keys or UNSET,
            )
            for place, (score, keys) in enumerate(zip(scores.tolist(), decoded.keys, strict=True))
        ]
        return Predictions(self.name, self.version, answers)

    def _explanations(self, scores: np.ndarray, contributions: np.ndarray) -> Explanations:
        names = [column.name for column in self.contract.inputs]
        answers = [
            Explanation(score, "value", values[-1], dict(zip(names, values[:-1], strict=True)))
            for score, values in zip(scores.tolist(), contributions.tolist(), strict=True)
        ]
        return Explanations(self.name, self.version, answers)

    def predict(self, rows: Sequence[object]) -> Predictions:
        """Decode and answer; raises RowsRejected if a row does not satisfy the contract."""
        decoded = self.decode(rows).whole()
        return self.predictions(decoded, self.scores(decoded.records))

    def explain(self, rows: Sequence[object]) -> Explanations:
        """Decode and explain; raises RowsRejected if a row does not satisfy the contract."""
        matrix = self._features(self.decode(rows).whole().records)
        return self._explanations(self._predict(matrix), self._contributions(matrix))


def open_predictor(directory: Path) -> Predictor:
    """Read, audit and construct the model in a bundle directory; raises BundleError."""
    return Predictor(bundles.read(directory))


def _ownership(features: Sequence[str], inputs: Sequence[str]) -> np.ndarray:
    """Which input a feature's contribution belongs to, shape (features, inputs); rows sum to 1."""
    shares = np.zeros((len(features), len(inputs)))
    for place, feature in enumerate(features):
        names = owners(feature)
        unknown = [name for name in names if name not in inputs]
        if unknown:
            raise BundleError(f"Feature {feature!r} belongs to {unknown[0]!r}, which is no input of the contract.")
        for name in names:
            shares[place, inputs.index(name)] += 1 / len(names)
    return shares
