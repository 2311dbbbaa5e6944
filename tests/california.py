"""What the problem california knows, measured on its real table. Prints the tables of docs/explanation/california.md.

    python -m tests.california bedrooms | features | test [--data FILE] [--seeds N]

`bedrooms` and `features` compare by rows that folds held out of four fifths of the table; `test` alone looks at the
last fifth. All bedrooms that the published table lacks are in that fifth: whoever took them out drew the rows by the
same seed. So of the other four fifths every row is asked with its bedrooms, and again without.
"""

import argparse
import contextlib
import dataclasses
import io
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from model.features import FeatureMatrix, fit
from model.model import BOOSTER
from model.predictor import Predictor
from problems import base
from problems.base import Features, Problem, State
from problems.features import ratio
from problems.parameters import DEFAULTS
from tests import tables as projects
from tests.project import ROOT
from training.data import clean, ingest, tables
from training.data.split import TRAIN, stretches
from training.learning import tasks
from training.learning.boost import Part
from training.learning.candidates import Pair, stopped
from training.learning.params import TrainParams
from training.learning.train import learn
from training.workspace import Workspace, sha256, write_json
from validation.decode import Columns

TABLE = Path(os.environ.get("BOXWOOD_DATA", ROOT.parent / "shared/data")) / "california_housing/housing.csv"
BEDROOMS, ROOMS, HOMES = "total_bedrooms", "total_rooms", "households"
FAST = {"learning_rate": 0.1, "num_threads": 1}
"""What choices are compared by beside the problem's own numbers: they are many, and it is the same for all."""


class Read(NamedTuple):
    """Rows that passed the problem's gates, in the file's order, and how the problem and the defaults learn."""

    known: pd.DataFrame
    test: pd.DataFrame
    own: TrainParams
    defaults: TrainParams


def read(problem: Problem, path: Path) -> Read:
    """The table through ingest and clean, split as others do who compare on it: scikit-learn's, a fifth, seed 42."""
    with projects.project(), contextlib.redirect_stdout(io.StringIO()):
        workspace = Workspace(problem.name)
        workspace.raw.mkdir(parents=True)
        shutil.copy(path, workspace.raw)
        write_json(workspace.source, {"origin": path.name, "sha256": sha256(path)})
        for stage in (ingest, clean):
            stage.main(problem)
        known, test = train_test_split(tables.read(workspace.silver), test_size=0.2, random_state=42)
        return Read(
            known, test, workspace.params("train", TrainParams), Workspace(DEFAULTS).params("train", TrainParams)
        )


class Choice(NamedTuple):
    """What is compared: a problem, and the share of training rows from which bedrooms are hidden."""

    problem: Problem
    hidden: float = 0.0


Fill = tuple[Callable[[Columns], Any], Callable[[Columns, Any], np.ndarray]]
"""What is learned from training rows to fill missing bedrooms in, and what is put there."""


def _sizes(columns: Columns) -> np.ndarray:
    """What the regression of bedrooms sees: a constant and three logarithms, shape (rows, 4)."""
    return np.stack([np.ones(len(columns[ROOMS])), *(np.log(columns[c]) for c in (ROOMS, HOMES, "population"))], 1)


def _regressed(columns: Columns) -> list[float]:
    there = ~np.isnan(columns[BEDROOMS])
    slopes = np.linalg.lstsq(_sizes(columns)[there], np.log(columns[BEDROOMS][there]), rcond=None)[0]
    return [float(slope) for slope in slopes]


FILLS: Mapping[str, Fill] = {
    "their median": (
        lambda columns: float(np.nanmedian(columns[BEDROOMS])),
        lambda columns, state: np.full(len(columns[ROOMS]), state),
    ),
    "the rooms times the median of bedrooms a room": (
        lambda columns: float(np.nanmedian(columns[BEDROOMS] / columns[ROOMS])),
        lambda columns, state: columns[ROOMS] * state,
    ),
    "a regression on rooms, households and people": (
        _regressed,
        lambda columns, state: np.exp(_sizes(columns) @ np.array(state)),
    ),
}


def filled(problem: Problem, fill: Fill) -> Problem:
    """The problem with missing bedrooms filled in before its features are made."""
    learned, guess = fill

    def learn_guess(columns: Columns) -> State:
        return {**problem.fit(columns), "guess": learned(columns)}

    def features(columns: Columns, state: State) -> Columns:
        there = columns[BEDROOMS]
        whole = np.where(np.isnan(there), guess(columns, state["guess"]), there)
        return problem.features({**columns, BEDROOMS: whole}, state)

    return dataclasses.replace(problem, fit=learn_guess, features=features)


def _missing(problem: Problem) -> Features:
    """The features with bedrooms missing where they are: LightGBM decides."""
    return lambda columns, state: {
        **problem.features(columns, state),
        BEDROOMS: columns[BEDROOMS],
        **ratio(columns, BEDROOMS, ROOMS),
    }


def fills(problem: Problem) -> Mapping[str, Choice]:
    """What to compare of missing bedrooms, the problem's own way first."""
    left = dataclasses.replace(problem, features=_missing(problem))
    return {
        "the households times the median of bedrooms a household": Choice(problem),
        **{name: Choice(filled(problem, fill)) for name, fill in FILLS.items()},
        "nothing": Choice(left),
        "nothing, and one training row in a hundred lacks them": Choice(left, 0.01),
        "nothing, and bedrooms are no input": Choice(
            dataclasses.replace(problem, features=_without(problem, BEDROOMS))
        ),
    }


def _without(problem: Problem, part: str) -> Features:
    return lambda columns, state: {
        name: values for name, values in problem.features(columns, state).items() if part not in name
    }


def _turned(problem: Problem) -> Features:
    """The features, and the coordinates on axes turned by 15° to 75°."""

    def features(columns: Columns, state: State) -> Columns:
        north, east = columns["latitude"], columns["longitude"] * np.cos(np.radians(37.0))
        angles = {angle: np.radians(angle) for angle in (15, 30, 45, 60, 75)}
        turned = {f"latitude+longitude.at_{a}": east * np.cos(r) + north * np.sin(r) for a, r in angles.items()}
        return {**problem.features(columns, state), **turned}

    return features


def variants(problem: Problem) -> Mapping[str, Choice]:
    """What to compare of features, the problem's own first."""
    flat = dataclasses.replace(problem, features=_without(problem, ".near_"))
    changed = {
        "those of the problem": problem.features,
        "without nearness": flat.features,
        "without ratios": _without(problem, ".ratio"),
        "without either": _without(problem, "+"),
        "with turned coordinates too": _turned(problem),
        "with turned coordinates instead of nearness": _turned(flat),
    }
    return {name: Choice(dataclasses.replace(problem, features=features)) for name, features in changed.items()}


def _hide(columns: Columns, rows: np.ndarray) -> Columns:
    """The columns without bedrooms in the rows of a mask."""
    return {**columns, BEDROOMS: np.where(rows, np.nan, columns[BEDROOMS])}


def held_out(choice: Choice, params: TrainParams, known: pd.DataFrame) -> np.ndarray:
    """Errors of rows that boosters did not learn from, asked with their bedrooms and without, shape (2, rows)."""
    problem, target = choice.problem, choice.problem.contract.target.name
    task, columns = tasks.of(problem, known), tables.inputs(problem.contract, known)
    actual, errors = task.encode(known), np.empty((2, len(known)))
    taught = _hide(columns, np.random.default_rng(params.seed).random(len(known)) < choice.hidden)
    stretch = stretches(problem, known, params.folds, params.seed)
    for fold in range(params.folds):
        judged, learned = stretch == fold, stretch != fold
        teaching = {name: values[learned] for name, values in taught.items()}
        matrix = FeatureMatrix(problem, fit(problem, {**teaching, target: actual[learned]}))
        asked = {name: values[judged] for name, values in columns.items()}
        features = matrix(asked)
        pair = Pair(matrix, Part(matrix(teaching), actual[learned]), Part(features, actual[judged]))
        [booster] = stopped(task, params, [pair]).boosters
        for place, matrix_asked in enumerate((features, matrix(_hide(asked, np.full(judged.sum(), True))))):
            errors[place, judged] = booster.predict(matrix_asked) - actual[judged]
    return errors


def compared(choices: Mapping[str, Choice], found: Read, seeds: int) -> Iterator[str]:
    """A Markdown table of the RMSE of each choice and its difference to the first's, with bedrooms and without."""
    booster = {**found.own.booster, **FAST}
    quick = msgspec.structs.replace(found.own, alternatives=[], booster=booster, stop_after=50)
    yield "| | RMSE | beside the first | RMSE without bedrooms | beside the first |"
    yield "|---|---|---|---|---|"
    first: np.ndarray | None = None
    for name, choice in choices.items():
        scores = np.empty((seeds, 2))
        with contextlib.redirect_stdout(io.StringIO()):
            for seed in range(seeds):
                errors = held_out(choice, msgspec.structs.replace(quick, seed=seed), found.known)
                scores[seed] = np.sqrt((errors**2).mean(axis=1))
        first = scores if first is None else first
        by, error = (scores - first).mean(axis=0), (scores - first).std(axis=0, ddof=1) / np.sqrt(seeds)
        cells = [
            f"{score:,.0f} | {f'{more:+,.0f} ± {about:,.0f}' if more or about else ''}"
            for score, more, about in zip(scores.mean(axis=0), by, error, strict=True)
        ]
        yield f"| {name} | {' | '.join(cells)} |"


class Tested(NamedTuple):
    """How a model does on the test rows: RMSE, share of rows within their interval; its trees, and seconds to learn."""

    rmse: float
    covered: float
    trees: int
    seconds: float


def tested(problem: Problem, params: TrainParams, found: Read) -> Tested:
    """Learn the known rows as `make train` does, and ask for the test rows as a caller would."""
    started = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        predictor = Predictor(learn(problem, params, {TRAIN: found.known}).model)
    seconds = time.perf_counter() - started
    places, scores = tables.ask(predictor, found.test)
    actual = found.test[problem.contract.target.name].to_numpy()[places]
    covered = float(((scores[:, 1] <= actual) & (actual <= scores[:, 2])).mean())
    trees = predictor.model.boosters[BOOSTER].count("Tree=")
    return Tested(float(np.sqrt(((scores[:, 0] - actual) ** 2).mean())), covered, trees, seconds)


def judged(problem: Problem, found: Read) -> Iterator[str]:
    """A Markdown table of how the defaults and the problem's own numbers do on the test rows."""
    yield "| numbers | RMSE | coverage | trees | seconds |"
    yield "|---|---|---|---|---|"
    for name, params in (("defaults", found.defaults), ("the problem's own", found.own)):
        it = tested(problem, params, found)
        yield f"| {name} | {it.rmse:,.0f} | {it.covered:.1%} | {it.trees:,} | {it.seconds:.0f} |"


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["bedrooms", "features", "test"])
    parser.add_argument("--data", type=Path, default=TABLE)
    parser.add_argument("--seeds", type=int, default=4)
    asked = parser.parse_args()
    problem = base.load("california")
    found = read(problem, asked.data.resolve())
    if asked.what == "test":
        lines = judged(problem, found)
    else:
        choices = fills(problem) if asked.what == "bedrooms" else variants(problem)
        lines = compared(choices, found, asked.seeds)
    for line in lines:
        print(line, flush=True)


if __name__ == "__main__":
    main()
