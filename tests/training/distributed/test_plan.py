"""What workers make of their partitions is what one machine makes of the whole table, but for where it lies."""

import pickle
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightgbm as lgb
import msgspec
import numpy as np
import pandas as pd
import pytest

from model.features import fit
from model.predictor import Predictor
from problems import base
from problems.base import Problem, State, calendar_features
from problems.features import target_mean, target_means
from tests.training.conftest import GONE, PARAMS, PRICE, problem, table
from training.data import tables
from training.data.split import CALIBRATION, SPLITS, TEST, TRAIN, VALIDATION, SplitParams
from training.distributed import gate, order
from training.distributed.judged import Portable, added, judged
from training.distributed.kept import Kept
from training.distributed.learned import OnAllRows, learn
from training.distributed.listing import Listing, Partition, listed
from training.distributed.plan import Grown, Plan, losses, made, names_of, size
from training.learning.boost import SAME_EVERY_TIME, Part
from training.learning.checkpoints import NONE
from training.learning.params import TrainParams
from training.workspace import Workspace
from validation.decode import Columns

ROWS = 1_200
SHARES = SplitParams(0.15, 0.15, 0.2, seed=1)


def _crossed(columns: Columns) -> State:
    return target_means(columns, "price", ["city"], prior_rows=1)


def _features(columns: Columns, state: State) -> Columns:
    city = columns["city"]
    cross = np.array([None if name is None else f"{name}!" for name in city], dtype=object)
    return {**calendar_features(columns, state), **target_mean(columns, state), "city.loud": cross}


PROBLEMS = {
    "regression": problem(PRICE, in_time=True),
    "random": problem(PRICE, in_time=False),
    "classification": problem(GONE, in_time=False),
    "crossed": replace(problem(PRICE, in_time=True), cross_fit=_crossed, features=_features),
}


class Together:
    """A table in partitions and its sample, which is the whole of it."""

    def __init__(self, asked: Problem, folder: Path) -> None:
        self.problem = asked
        rows = table(ROWS)
        for number, places in enumerate(np.array_split(np.arange(ROWS), 3)):
            rows.iloc[places].to_parquet(folder / f"{number}.parquet", row_group_size=90)
        self.listing: Listing = listed(str(folder), asked.contract, 170)
        looked = [(number, gate.seen(part, asked.name, 1.0, 1)) for number, part in enumerate(self.listing.partitions)]
        self.seen = gate.merged(asked, looked)
        self.order = (
            order.in_time(asked, self.seen.times, SHARES)
            if asked.contract.time
            else order.by_chance(SHARES, order.alone(asked, self.seen.sample, ROWS))
        )
        self.labels = self.order.labels(asked, self.seen.sample)

    @property
    def parts(self) -> dict[str, pd.DataFrame]:
        return {name: self.seen.sample[self.labels == name] for name in (TRAIN, VALIDATION, CALIBRATION)}


@pytest.fixture(params=PROBLEMS)
def whole(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Together:
    asked = PROBLEMS[request.param]
    monkeypatch.setattr(base, "load", lambda _: asked)
    return Together(asked, tmp_path)


def again(parts: Sequence[Part]) -> Part:
    """A partition from its pieces."""
    features = np.empty((sum(map(size, parts)), parts[0].features.shape[1]))
    target = np.empty(len(features))
    for first, part in enumerate(parts):
        features[first :: len(parts)], target[first :: len(parts)] = part.features, part.target
    return Part(features, target)


def assert_same_features(trained: OnAllRows, plan: Plan, features: np.ndarray) -> None:
    """Those of the partitions are those of one machine; only means of the target are of other folds than it has."""
    expected, names = trained.gold[TRAIN].to_numpy(), trained.features()[0]
    for place, name in enumerate(names):
        if not name.endswith("target_mean"):
            np.testing.assert_array_equal(features[:, place], expected[:, place])
            continue
        assert np.abs(features[:, place] - expected[:, place]).max() < 20
        of_all = [*plan.fitted.state["target_means"]["city"].values()]  # which a row is part of
        assert not np.isin(features[:, place], of_all).any()


def grown_here(trained: OnAllRows, plan: Plan, partitions: Sequence[Partition]) -> lgb.Booster:
    """A booster of what workers would make, by this machine; the losses that workers would tell are LightGBM's own."""
    found = [made(part, pickle.loads(pickle.dumps(plan)), 3) for part in partitions]  # noqa: S301 ours
    learned = [again(one.pieces) for one in found]
    features, target = (np.concatenate([part[place] for part in learned]) for place in (0, 1))
    assert_same_features(trained, plan, features)
    names, categorical = trained.features()
    data = lgb.Dataset(features, target, feature_name=names, categorical_feature=categorical)
    stop = [one.validation for one in found if size(one.validation)]
    held_out = data.create_valid(*(np.concatenate([part[place] for part in stop]) for place in (0, 1)))
    seen: dict[str, Any] = {}
    settings = {**trained.settings(), **SAME_EVERY_TIME}
    booster = lgb.train(settings, data, 8, [held_out], callbacks=[lgb.record_evaluation(seen)])
    told = [losses(part, plan, booster.model_to_string()) for part in stop]
    [expected] = seen["valid_0"].values()
    weight = sum(weight for _, weight in told)
    np.testing.assert_allclose(np.sum([sums for sums, _ in told], axis=0) / weight, expected, rtol=1e-6)
    booster.best_iteration = 8
    return booster


def test_partitions_come_to_the_matrix_and_the_model_of_the_whole(whole: Together) -> None:
    params = msgspec.convert(PARAMS["train"], TrainParams)
    plans: list[Plan] = []

    def grow(trained: OnAllRows) -> lgb.Booster:
        plans.append(trained.plan(whole.order))
        return grown_here(trained, plans[0], whole.listing.partitions)

    further = gate.learned_names(whole.problem, whole.seen, whole.order)
    model = learn(whole.problem, params, whole.parts, NONE, further, grow).model
    portable = pickle.loads(pickle.dumps(Portable(plans[0], model)))  # noqa: S301 ours
    sums = added(judged(part, portable) for part in whole.listing.partitions)
    assert sums.splits == {name: int((whole.labels == name).sum()) for name in SPLITS}
    test = whole.seen.sample[whole.labels == TEST]
    answered, _ = tables.ask(Predictor(model), test)
    assert (sums.answered, sums.refused) == (len(answered), len(test) - len(answered))
    assert sums.loss > 0


def test_names_of_made_features_are_those_of_all_rows_to_learn_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = PROBLEMS["crossed"]
    monkeypatch.setattr(base, "load", lambda _: asked)
    whole = Together(asked, tmp_path)
    columns = {**tables.inputs(asked.contract, whole.parts[TRAIN]), "price": whole.parts[TRAIN]["price"].to_numpy()}
    fitted = fit(asked, columns)
    found = [names_of(part, asked.name, whole.order, fitted) for part in whole.listing.partitions]
    assert set().union(*(names["city.loud"] for names in found)) == {"Oslo!", "Rome!", "Bern!"}
    assert fit(asked, columns, further={"city.loud": ["Lima!"]}).encodings["city.loud"] == [
        "Bern!",
        "Lima!",
        "Oslo!",
        "Rome!",
    ]


def test_what_was_finished_is_found_by_files_code_and_parameters(
    whole: Together, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    params = tmp_path / "params.yaml"
    params.write_text(msgspec.yaml.encode({whole.problem.name: {**PARAMS, "cluster": {}}}).decode())
    place = Workspace(whole.problem.name, cluster=True)

    def kept(listing: Listing = whole.listing) -> Kept:
        return Kept(place, whole.problem, listing)

    assert kept().seen() is None
    assert kept().booster() is None
    kept().keep_seen(whole.seen)
    kept().keep_booster(Grown("tree", 3, 0.5, ROWS))
    found = kept().seen()
    assert found is not None
    pd.testing.assert_frame_equal(found.sample, whole.seen.sample, check_dtype=False)  # Parquet has no seconds
    assert (found.rows, found.bad, found.times, found.reasons) == (ROWS, 0, whole.seen.times, whole.seen.reasons)
    assert found.names.keys() == whole.seen.names.keys()
    assert kept().booster() == Grown("tree", 3, 0.5, ROWS)
    other = replace(whole.listing, files=whole.listing.files[:1])
    assert kept(other).seen() is None
    changed = {**PARAMS, "cluster": {}, "train": {**PARAMS["train"], "rounds": 30}}
    params.write_text(msgspec.yaml.encode({whole.problem.name: changed}).decode())
    assert kept().seen() is not None
    assert kept().booster() is None
