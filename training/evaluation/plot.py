"""Evaluated bundle → pictures, for the model card and for DVC: errors, and SHAP values by the caller's columns."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import shap

from model import loss
from model.loss import Loss
from model.outcomes.regression import DAYS_A_YEAR, days_since_1970
from model.predictor import Predictor, open_predictor
from problems.base import Problem
from training.data import tables
from training.evaluation import figures, report
from training.learning import tasks
from training.learning.metrics import ACTUAL, MODEL, MOST_EXPLAINED, sample
from training.learning.metrics import predicted as predicted_by
from training.learning.privacy import PrivacyParams
from training.workspace import Workspace, atomic_folder, counted, say
from validation.contract import Column, Kind

MOST_DEPENDENCES = 4
MISSING = "missing"
_OTHERS = "others"


def main(problem: Problem, workspace: Workspace | None = None) -> None:
    """Draw what the evaluation wrote down."""
    workspace = workspace or Workspace(problem.name)
    answers = tables.read(workspace.evaluation)
    test = tables.read(workspace.silver).loc[answers.index]
    predictor = open_predictor(workspace.bundle)
    stated = loss.of(report.read(workspace).loss)
    real = workspace.params("privacy", PrivacyParams).real_rows
    with atomic_folder(workspace.plots) as folder:
        draw(folder, predictor, test, answers, stated if real else None)
        pictures = len(list(folder.iterdir()))
    say("plot", f"{counted(pictures, 'picture')} of {counted(len(test), 'test row')}")


def draw(folder: Path, predictor: Predictor, test: pd.DataFrame, answers: pd.DataFrame, cases: Loss | None) -> None:
    """Write the pictures of one model.

    Args:
        folder: where to write.
        predictor: the model.
        test: silver rows, all of which it answers.
        answers: what the evaluation wrote about them, row by row.
        cases: the loss by which three single rows are chosen and explained, with their values; None for no such rows.
    """
    _errors(folder, predictor, answers)
    _contributions(folder, predictor, test.iloc[sample(len(test), MOST_EXPLAINED)])
    if cases is not None:
        _cases(folder, predictor, test, answers, cases)


def _errors(folder: Path, predictor: Predictor, answers: pd.DataFrame) -> None:
    actual = answers[ACTUAL].to_numpy()
    if "low" in answers:
        unit = _unit(predictor.contract.target)
        scores = answers[["model", "low", "high"]].to_numpy()
        figures.residuals(folder / "residuals.png", actual, scores, unit)
        figures.agreement(folder / "agreement.png", actual, scores, unit)
    reliability = tasks.of_outcome(predictor.outcome).reliability(predictor.outcome, answers, figures.label)
    if reliability is not None:
        figures.reliability(folder / "reliability.png", *reliability)


def _contributions(folder: Path, predictor: Predictor, rows: pd.DataFrame) -> None:
    """The summary, and the dependence plots of the columns that contribute most."""
    explained = explain(predictor, rows)
    figures.summary(folder / "summary.png", explained, predictor.outcome.space)
    weights = np.abs(explained.values).mean(axis=0)
    inputs = tables.inputs(predictor.contract, rows)
    ranked = [place for place in np.argsort(-weights, kind="stable") if weights[place] > 0]
    for place in ranked[:MOST_DEPENDENCES]:
        column = predictor.contract.inputs[place]
        values, names = _axis(column, inputs[column.name])
        if np.isnan(values).all():
            continue  # nothing to draw contributions over
        contributions = shap.Explanation(
            explained.values[:, place],
            base_values=explained.base_values,
            data=values,
            display_data=names,
            feature_names=column.name,
        )
        title = f"{column.name}{_unit(column)}"
        figures.dependence(folder / f"dependence-{column.name}.png", contributions, title, predictor.outcome.space)


def _cases(folder: Path, predictor: Predictor, test: pd.DataFrame, answers: pd.DataFrame, stated: Loss) -> None:
    """Waterfalls of the rows with the least, the median and the greatest loss."""
    actual, predicted = answers[ACTUAL].to_numpy(), predicted_by(answers, MODEL)
    task = tasks.of_outcome(predictor.outcome)
    order = np.argsort(stated.rows(actual, predicted), kind="stable")
    places = [order[0], order[len(order) // 2], order[-1]]
    explained = explain(predictor, test.iloc[places])
    axis = f"{predictor.outcome.space}{_unit(predictor.contract.target)}"
    for case, (name, place) in enumerate(zip(("best", "median", "worst"), places, strict=True)):
        values = float(actual[place]), np.asarray(predicted[place])
        title = task.case(predictor.outcome, predictor.contract.target, *values, figures.label)
        figures.waterfall(folder / f"case-{name}.png", explained[case], f"{name} case: {title}", axis)


def explain(predictor: Predictor, rows: pd.DataFrame) -> shap.Explanation:
    """SHAP values of silver rows by the caller's columns, as the service would answer them.

    Args:
        predictor: the model.
        rows: that it does not refuse.
    """
    decoded = predictor.decode(tables.requested(predictor.contract, rows)).raise_if_rejected()
    contributions = predictor.contributions(decoded.inputs)
    inputs = tables.inputs(predictor.contract, rows)
    columns = predictor.contract.inputs
    return shap.Explanation(
        contributions[:, :-1],
        base_values=contributions[:, -1],
        data=_matrix([_shades(column, inputs[column.name]) for column in columns]),
        display_data=_matrix([_texts(column, inputs[column.name]) for column in columns]),
        feature_names=[column.name for column in columns],
    )


def _matrix(columns: Sequence[Sequence[Any]]) -> np.ndarray:
    """Columns side by side, shape (rows, columns); of objects, so that numbers stay numbers beside texts."""
    matrix = np.empty((len(columns[0]), len(columns)), dtype=object)
    for place, values in enumerate(columns):
        matrix[:, place] = values
    return matrix


def _shades(column: Column, values: np.ndarray) -> list[Any]:
    """What the summary colours by: numbers; names, and a column that is missing everywhere, stay grey."""
    numbers = _numbers(column, values)
    if numbers is None or np.isnan(numbers).all():
        return [MISSING] * len(values)
    return list(numbers)


def _texts(column: Column, values: np.ndarray) -> list[str]:
    """Values as a waterfall names them."""
    if column.kind is Kind.CATEGORY:
        return [MISSING if value is None else figures.label(value) for value in values]
    if column.kind in (Kind.DATE, Kind.TIMESTAMP):
        return [MISSING if np.isnat(value) else str(value)[:16] for value in values]
    if column.kind is Kind.FLAG:
        return [MISSING if np.isnan(value) else str(bool(value)) for value in values]
    return [MISSING if np.isnan(value) else f"{value:,.6g}" for value in values]


def _numbers(column: Column, values: np.ndarray) -> np.ndarray | None:
    """Values that have an order, missing ones as NaN; times in years. None for names."""
    if column.kind is Kind.CATEGORY:
        return None
    if column.kind in (Kind.DATE, Kind.TIMESTAMP):
        return np.where(np.isnat(values), np.nan, 1970 + days_since_1970(values) / DAYS_A_YEAR)
    return values


def _axis(column: Column, values: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """The rows' positions on the axis of a dependence plot, shape (rows,), and a category's names, rare ones as one."""
    numbers = _numbers(column, values)
    if numbers is not None:
        return numbers, None
    names = pd.Series([MISSING if value is None else str(value) for value in values])
    common = names.value_counts().sort_index().sort_values(ascending=False, kind="stable").index
    names = names.where(names.isin(common[: figures.MOST_NAMES]), _OTHERS)
    places = {name: float(place) for place, name in enumerate(common[: figures.MOST_NAMES])}
    codes = names.map(places).fillna(len(places)).to_numpy(dtype="float64")
    return codes, np.array([figures.label(name) for name in names], dtype=object)


def _unit(column: Column) -> str:
    if column.kind in (Kind.DATE, Kind.TIMESTAMP):
        return ", year"
    return f", {figures.label(column.unit)}" if column.unit else ""
