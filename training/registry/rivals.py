"""What an earlier champion predicts for today's test rows, and which of them it learned from."""

from typing import Any, NamedTuple

import msgspec
import numpy as np
import pandas as pd
from mlflow.entities.model_registry import ModelVersion

from model import bundle, loss
from model.outcomes import Outcome
from problems.base import Problem
from training.data import classes, copies, labelled, tables
from training.data.split import TEST
from training.evaluation import report
from training.learning import metrics
from training.registry import champion
from training.workspace import Workspace, read_json
from validation import compatibility
from validation.errors import StoreError


class Rival(NamedTuple):
    """An earlier champion's part in a comparison.

    Attributes:
        number: its version.
        values: what it predicts for each test row as the evaluation has it, in one column or one a class.
        answers: whether it answers each test row; the values of others are missing.
        actual: the encoded targets of the test rows; of classes that are cut from numbers, by its own bounds.
        moved: the share of test rows that are of another class by its bounds than by the challenger's.
        learned: whether each test row is one that it learned from.
        breaking: why the challenger would refuse today's callers, or mean something else to them.
        forgotten: the names that it knows, learned from its table, and that the challenger refuses.
    """

    number: str
    values: np.ndarray
    answers: pd.Series
    actual: np.ndarray
    moved: float
    learned: pd.Series
    breaking: list[str]
    forgotten: list[str]


class Holdout:
    """The rows on which a challenger was evaluated, and what it answered to them."""

    def __init__(self, problem: Problem, workspace: Workspace) -> None:
        """Read the results of the earlier stages."""
        self.loss = loss.of(report.read(workspace).loss)
        self._silver = tables.read(workspace.silver)
        self.test = self._silver[tables.read(workspace.split)["split"] == TEST]
        evaluated = tables.read(workspace.evaluation).reindex(self.test.index)
        self.model, self._actual = metrics.predicted(evaluated, metrics.MODEL), evaluated[metrics.ACTUAL].to_numpy()
        self.answers = evaluated[metrics.ACTUAL].notna()
        self._manifest = read_json(workspace.bundle / bundle.MANIFEST)
        self._outcome = msgspec.convert(self._manifest["outcome"], Outcome)
        self.contract = problem.contract
        self.labelled = bool(labelled.of(self.test).any())
        self._contracts: dict[str, compatibility.Described] = {}  # of each version that was heard, also where it failed

    def losses(self, values: np.ndarray, where: pd.Series, actual: np.ndarray | None = None) -> np.ndarray:
        """The loss of each of those test rows, shape (rows,).

        Args:
            values: what a model predicts for all test rows.
            where: the rows to compare.
            actual: their encoded targets, if that model has other bounds of classes than the challenger.
        """
        chosen = where.to_numpy()
        return self.loss.rows((self._actual if actual is None else actual)[chosen], values[chosen])

    def constant(self) -> np.ndarray:
        """The one prediction for all test rows that suits them best, by hindsight; as many columns as a model's."""
        actual = self._actual[self.answers.to_numpy()]
        if self.model.ndim > 1:
            best = np.bincount(actual.astype(np.intp), minlength=self.model.shape[1]) / len(actual)
        else:
            rank = self.loss.rank
            best = np.mean(actual) if rank is None else np.quantile(actual, rank)
        return np.broadcast_to(best, self.model.shape)

    def _by_bounds_of(self, manifest: dict[str, Any]) -> np.ndarray:
        """The encoded targets of the test rows by the bounds of another version, shape (rows,)."""
        bounds, target = manifest["fitted"].get("bounds"), self.contract.target
        if not bounds or target.bins is None:
            return self._actual
        return classes.Classes(target, tuple(target.bins.labels), tuple(bounds)).encode(self.test)

    def hear(self, version: ModelVersion) -> Rival:
        """Have a registered version predict the test rows.

        Raises:
            StoreError: it cannot be compared; the message says why, after "version N".
        """
        number = str(version.version)
        rows = (row for _, part in tables.in_parts(self.contract, self.test) for row in part)
        with champion.fetched(version) as model:
            manifest, learned = model.manifest(), model.learned()
            self._contracts[number] = manifest["contract"]
            if learned is None:
                raise StoreError(f"version {number} has no record of the rows that it learned from")
            answers = model.ask(rows)
        values = numbers(answers, self._outcome)
        answered = pd.Series(np.isfinite(values.reshape(len(values), -1)).all(axis=1), index=self.test.index)
        if not answered.any() and answers["prediction"].notna().any():
            raise StoreError(f"version {number} predicts something else{self._other(manifest)}")
        return Rival(
            number,
            values,
            answered,
            actual := self._by_bounds_of(manifest),
            float(np.mean((actual != self._actual)[self.answers.to_numpy()])),
            self._learned(manifest, learned, number),
            compatibility.breaking(manifest, self._manifest),
            compatibility.forgotten(manifest, self._manifest),
        )

    def changed_since(self, version: ModelVersion) -> list[str]:
        """How the contract changed since a version that was heard, in a sentence.

        No sentence where it did not, or the version's files are gone.
        """
        before = self._contracts.get(str(version.version))
        changes = compatibility.changed(before, self._manifest["contract"]) if before else ""
        return [f"the contract changed since version {version.version} ({changes})"] if changes else []

    def _other(self, manifest: dict[str, Any]) -> str:
        """What classes another version has, if it has other ones."""
        theirs, ours = (one["outcome"].get("classes") for one in (manifest, self._manifest))
        if not theirs or not ours or theirs == ours:
            return ""
        return f": its classes are {', '.join(theirs)}, and those of this one are {', '.join(ours)}"

    def _learned(self, manifest: dict[str, Any], learned: pd.DataFrame, number: str) -> pd.Series:
        """Which test rows a version learned from, recognised by the columns that it had; shape (test rows,)."""
        inputs, target = compatibility.inputs(manifest), compatibility.target(manifest)["name"]
        missing = [name for name in (*inputs, target) if name not in self._silver]
        if missing:
            raise StoreError(
                f"version {number} learned from columns that the table no longer has ({', '.join(missing[:5])}), "
                "by which its rows would be known again"
            )
        row_hashes = copies.hashes(self._silver, inputs, target)
        return copies.found(row_hashes, copies.together(self._silver, inputs), learned)[self.test.index]


def numbers(answers: pd.DataFrame, outcome: Outcome) -> np.ndarray:
    """The numbers to compare in a version's answers, shape (rows,) or (rows, classes).

    NaN where it refused the row or predicts something else.

    Args:
        answers: what `champion.Fetched.ask` returned.
        outcome: of the challenger.
    """
    missing = pd.Series(np.nan, index=answers.index)
    present = (names for names in outcome.score_columns if set(names) <= set(answers))
    names = next(present, outcome.score_columns[0])
    columns = [pd.to_numeric(answers.get(name, missing), errors="coerce").to_numpy(dtype="float64") for name in names]
    return np.column_stack(columns) if len(columns) > 1 else columns[0]
