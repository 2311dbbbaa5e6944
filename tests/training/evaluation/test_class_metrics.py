"""The metrics of several classes, beside scikit-learn's."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, log_loss, roc_auc_score

from training.learning import class_metrics, metrics

CLASSES, ROWS = 4, 500
RANDOM = np.random.default_rng(5)
ACTUAL = RANDOM.choice(CLASSES, ROWS, p=[0.5, 0.3, 0.15, 0.05]).astype(np.float64)
WEIGHTS = RANDOM.exponential(size=(ROWS, CLASSES)) + 2 * np.eye(CLASSES)[ACTUAL.astype(int)]
PREDICTED = WEIGHTS / WEIGHTS.sum(axis=1, keepdims=True)
NONE = np.empty((0, ROWS))


def value(actual: np.ndarray, predicted: np.ndarray, name: str) -> float:
    found = class_metrics.multiclass(actual, predicted, np.empty((0, len(actual))))[name].value
    assert found is not None
    return found


def test_they_are_scikit_learns() -> None:
    likeliest = PREDICTED.argmax(axis=1)
    assert value(ACTUAL, PREDICTED, "log_loss") == pytest.approx(log_loss(ACTUAL, PREDICTED))
    assert value(ACTUAL, PREDICTED, "accuracy") == pytest.approx(accuracy_score(ACTUAL, likeliest))
    assert value(ACTUAL, PREDICTED, "macro_f1") == pytest.approx(f1_score(ACTUAL, likeliest, average="macro"))
    area = roc_auc_score(ACTUAL, PREDICTED, multi_class="ovr", average="macro")
    assert value(ACTUAL, PREDICTED, "roc_auc") == pytest.approx(area)
    counts = class_metrics.confusion(ACTUAL, likeliest, CLASSES)
    assert counts.tolist() == confusion_matrix(ACTUAL, likeliest).tolist()


def test_the_calibration_error_is_that_of_the_most_probable_class() -> None:
    right, likeliest = (PREDICTED.argmax(axis=1) == ACTUAL).astype(np.float64), PREDICTED.max(axis=1)
    bins = np.minimum((likeliest * metrics.ECE_BINS).astype(int), metrics.ECE_BINS - 1)
    gaps = [abs((likeliest - right)[bins == place].sum()) for place in range(metrics.ECE_BINS)]
    assert value(ACTUAL, PREDICTED, "ece") == pytest.approx(sum(gaps) / ROWS)


def test_a_class_that_is_not_there_counts_only_where_it_is_answered() -> None:
    some = ACTUAL < 3
    actual, predicted = ACTUAL[some], PREDICTED[some]
    likeliest = predicted.argmax(axis=1)
    assert (likeliest == 3).any()
    assert value(actual, predicted, "macro_f1") == pytest.approx(f1_score(actual, likeliest, average="macro"))
    never = predicted.copy()
    never[:, 3] = 0
    never /= never.sum(axis=1, keepdims=True)
    expected = f1_score(actual, never.argmax(axis=1), labels=[0, 1, 2], average="macro")
    assert value(actual, never, "macro_f1") == pytest.approx(expected)
    areas = [roc_auc_score(actual == place, never[:, place]) for place in range(3)]
    assert value(actual, never, "roc_auc") == pytest.approx(np.mean(areas))


def test_one_class_has_no_area() -> None:
    found = class_metrics.multiclass(np.zeros(20), PREDICTED[:20], np.empty((0, 20)))
    assert found["roc_auc"].value is None
    assert found["log_loss"].value is not None


def test_intervals_lie_around_the_scores() -> None:
    scores = class_metrics.multiclass(ACTUAL, PREDICTED, metrics.draws(ROWS, 100, 1))
    for score in scores.values():
        assert score.value is not None
        assert score.low is not None
        assert score.high is not None
        assert score.low <= score.value <= score.high
        assert score.high - score.low < 0.3


def test_predictions_survive_the_table() -> None:
    """In the order of the classes, of which there may be more than ten."""
    import pandas as pd

    many = RANDOM.random((5, 12))
    table = pd.DataFrame({**metrics.columns("model", many), **metrics.columns("lookup", many[:, 0])})
    np.testing.assert_array_equal(metrics.predicted(table, "model"), many)
    np.testing.assert_array_equal(metrics.predicted(table, "lookup"), many[:, 0])
