"""The metrics of several classes, with bootstrap intervals; see `metrics`."""

import numpy as np

from model.loss import log_loss_of_classes
from model.metrics import Scores
from training.learning.metrics import gaps, interval, means_of, roc_auc, scored, share


def multiclass(
    actual: np.ndarray,
    predicted: np.ndarray,
    weights: np.ndarray,
    answered: np.ndarray | None = None,
    costs: np.ndarray | None = None,
) -> Scores:
    """Macro F1, accuracy and mean cost of the answers; ROC AUC, log loss and ECE of the probabilities.

    F1 scores are averaged over the classes that were there or were answered. Areas under the ROC curve are those of
    each class against the rest, averaged over the classes that were there. The expected calibration error is that of
    the most probable class.

    Args:
        actual: the places of the classes, shape (rows,).
        predicted: probabilities, shape (rows, classes).
        weights: bootstrap weights, shape (resamples, rows).
        answered: the places of the answers, shape (rows,); those of the most probable classes where left out.
        costs: what each answer costs, by the class that is right, shape (classes, classes); no mean cost without it.
    """
    answered = predicted.argmax(axis=1) if answered is None else answered
    both = np.vstack([np.ones(len(actual), weights.dtype), weights])
    f1, areas = _macro_f1(actual, answered, predicted.shape[1], both), _areas(actual, predicted, both)
    scores = {"macro_f1": interval(f1[0], f1[1:]), "accuracy": share(answered == actual, weights)}
    if costs is not None:
        paid = costs[actual.astype(np.intp), answered][:, None]
        scores["mean_cost"] = interval(float(paid.mean()), means_of(paid, weights)[:, 0])
    probabilities = scored(_rows, _metrics, actual, predicted, weights)
    return {"roc_auc": interval(areas[0], areas[1:]), **probabilities, **scores}


def confusion(actual: np.ndarray, answered: np.ndarray, classes: int, weights: np.ndarray | None = None) -> np.ndarray:
    """How often each class (first axis) was answered as each class (second), shape (classes, classes)."""
    pairs = actual.astype(np.intp) * classes + answered
    counts: np.ndarray = np.bincount(pairs, weights, minlength=classes**2)
    return counts.reshape(classes, classes)


def _macro_f1(actual: np.ndarray, answered: np.ndarray, classes: int, weights: np.ndarray) -> np.ndarray:
    """Under each row of weights, shape (resamples,)."""
    scores = np.full(len(weights), np.nan)
    for place, resample in enumerate(weights):
        counts = confusion(actual, answered, classes, resample)
        there = counts.sum(axis=0) + counts.sum(axis=1)
        if there.any():
            scores[place] = (2 * np.diag(counts)[there > 0] / there[there > 0]).mean()
    return scores


def _areas(actual: np.ndarray, predicted: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean areas of one class against the rest under each row of weights, shape (resamples,)."""
    total, defined = np.zeros(len(weights)), np.zeros(len(weights))
    for place in np.unique(actual).astype(np.intp):
        areas = roc_auc((actual == place).astype(np.float64), predicted[:, place], weights)
        total += np.nan_to_num(areas)
        defined += np.isfinite(areas)
    means: np.ndarray = np.divide(total, defined, out=np.full(len(weights), np.nan), where=defined > 0)
    return means


def _rows(actual: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    right = (predicted.argmax(axis=1) == actual).astype(np.float64)
    return np.column_stack([log_loss_of_classes(actual, predicted), gaps(right, predicted.max(axis=1))])


def _metrics(means: np.ndarray) -> dict[str, np.ndarray]:
    return {"log_loss": means[:, 0], "ece": np.abs(means[:, 1:]).sum(axis=1)}
