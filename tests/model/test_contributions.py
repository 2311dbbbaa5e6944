"""Contributions from tables are LightGBM's own, whatever the trees and the rows."""

import gc
import re
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import lightgbm as lgb
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model.contributions import BulkContributions, Explainer, NotTabulated, effort, explainer

SILENT = {"verbose": -1, "num_threads": 1, "seed": 1, "deterministic": True, "force_row_wise": True}
# where a number counts as zero, where its decimals are cut off, and where an integer ends
EDGES = [
    np.nan,
    np.inf,
    -np.inf,
    0.0,
    -0.0,
    1e-35,
    -1e-35,
    9.9e-36,
    2e-35,
    -0.5,
    -1.0,
    0.9,
    31.5,
    32.0,
    1e9,
    2.0**31,
    1e300,
]
EDGES += [float(np.float32(1e-35)), -float(np.float32(1e-35))]


def table(seed: int, rows: int, kinds: list[str]) -> np.ndarray:
    """A matrix of numbers, few numbers, numbers with zeros or with gaps, and names; shape (rows, columns)."""
    chance = np.random.default_rng(seed)
    matrix = np.empty((rows, len(kinds)))
    for place, kind in enumerate(kinds):
        values = chance.normal(size=rows)
        if kind == "few":
            values = chance.integers(-2, 3, rows).astype(float)
        elif kind == "zeros":
            values[chance.random(rows) < 0.4] = 0.0
        elif kind == "gaps":
            values[chance.random(rows) < 0.3] = np.nan
        elif kind == "names":
            values = chance.integers(0, 40, rows).astype(float)
            values[chance.random(rows) < 0.1] = np.nan
        matrix[:, place] = values
    return matrix


def booster(matrix: np.ndarray, kinds: list[str], rounds: int = 5, **parameters: Any) -> lgb.Booster:
    """A booster of a target that needs interactions, in three classes if the objective has several."""
    filled = np.nan_to_num(matrix, nan=0.7)
    target = np.sin(filled * np.arange(1, len(kinds) + 1)).sum(axis=1) + filled[:, 0] * (filled[:, -1] > 0.3)
    if parameters.get("objective") == "multiclass":
        target = np.digitize(target, np.quantile(target, [0.3, 0.6]))
        parameters["num_class"] = 3
    names = [place for place, kind in enumerate(kinds) if kind == "names"]
    data = lgb.Dataset(matrix, target, categorical_feature=names, params={"min_data_in_bin": 1})
    return lgb.train({**SILENT, "min_data_in_leaf": 1, "min_data_per_group": 1, **parameters}, data, rounds)


def by_lightgbm(model: lgb.Booster, matrix: np.ndarray) -> np.ndarray:
    """What LightGBM says, shape (rows, outputs, features + 1)."""
    values = np.asarray(model.predict(matrix, pred_contrib=True, num_threads=1))
    return values.reshape(len(matrix), model.num_model_per_iteration(), -1)


def assert_equal(found: np.ndarray, expected: np.ndarray) -> None:
    """Within 1e-9 of the greatest number of each row and output."""
    assert found.shape == expected.shape
    greatest = np.abs(expected).max(axis=-1, keepdims=True)
    assert np.all(np.abs(found - expected) <= 1e-9 * greatest)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.integers(0, 10_000),
    st.lists(st.sampled_from(["number", "few", "zeros", "gaps", "names"]), min_size=1, max_size=7),
    st.fixed_dictionaries(
        {
            "objective": st.sampled_from(["regression", "multiclass"]),
            "num_leaves": st.sampled_from([2, 4, 15, 60]),
            "max_depth": st.sampled_from([-1, -1, 3]),
            "zero_as_missing": st.booleans(),
            "use_missing": st.booleans(),
            "max_cat_to_onehot": st.sampled_from([1, 100]),
            "boosting": st.sampled_from(["gbdt", "dart"]),
            "extra_trees": st.booleans(),
        }
    ),
)
def test_any_booster_is_explained_as_lightgbm_does(seed: int, kinds: list[str], parameters: dict[str, Any]) -> None:
    matrix = table(seed, 200, kinds)
    model = booster(matrix, kinds, **parameters)
    asked = table(seed + 1, 120, kinds)
    chance = np.random.default_rng(seed)
    odd = chance.random(asked.shape) < 0.2
    asked[odd] = chance.choice(EDGES, odd.sum())
    found = BulkContributions(model.model_to_string())(asked)
    assert_equal(found, by_lightgbm(model, asked))
    raw = np.asarray(model.predict(asked, raw_score=True)).reshape(len(asked), -1)
    np.testing.assert_allclose(found.sum(axis=-1), raw, rtol=1e-9, atol=1e-9 * np.abs(found).max())


@pytest.fixture(scope="module")
def kinds() -> list[str]:
    return ["number", "gaps", "names", "few", "number"]


@pytest.fixture(scope="module")
def matrix(kinds: list[str]) -> np.ndarray:
    return table(1, 3_000, kinds)


@pytest.fixture(scope="module")
def model(matrix: np.ndarray, kinds: list[str]) -> lgb.Booster:
    return booster(matrix, kinds, 30, num_leaves=31)


@pytest.fixture(scope="module")
def owners() -> np.ndarray:
    """Three columns: the first two features are one's, the third two others' by half, and the fourth nobody's."""
    return np.array([[1.0, 0, 0], [1, 0, 0], [0, 0.5, 0.5], [0, 0, 0], [0, 0, 1]])


def test_features_are_summed_to_their_columns(model: lgb.Booster, matrix: np.ndarray, owners: np.ndarray) -> None:
    found = BulkContributions(model.model_to_string(), owners)(matrix)
    expected = by_lightgbm(model, matrix)
    np.testing.assert_allclose(found[..., :-1], expected[..., :-1] @ owners, atol=1e-9 * np.abs(expected).max())
    assert_equal(found[..., -1:], expected[..., -1:])


def test_a_row_gets_the_same_alone_in_blocks_and_in_threads(model: lgb.Booster, kinds: list[str]) -> None:
    explain = BulkContributions(model.model_to_string())
    many = table(2, 70_000, kinds)  # more than are explained with one making of a table, and several blocks
    together = explain(many)
    np.testing.assert_array_equal(explain(many, threads=3), together)
    alone = [explain(many[place : place + 1]) for place in range(0, 70_000, 1_000)]
    np.testing.assert_array_equal(np.concatenate(alone), together[::1_000])
    assert explain(many[:0]).shape == (0, 1, 6)


@pytest.mark.parametrize("share", [0, 0.5])
def test_tables_that_are_not_kept_are_made_again(matrix: np.ndarray, kinds: list[str], share: float) -> None:
    text = booster(matrix, kinds, 150, num_leaves=31).model_to_string()
    whole = BulkContributions(text)
    assert whole.whole
    part = BulkContributions(text, kept=int(share * 2**20))
    assert not part.whole
    assert_equal(part(matrix, threads=2), whole(matrix))


def chain(features: int) -> tuple[lgb.Booster, np.ndarray]:
    """A booster with a path of so many features, and rows: it learns how many columns in turn are large."""
    matrix = table(5, 3_000, ["number"] * features)
    large = np.cumprod(matrix > -1.5, axis=1).sum(axis=1).astype(float)
    model = lgb.train({**SILENT, "min_data_in_leaf": 1, "num_leaves": 60}, lgb.Dataset(matrix, large), 3)
    return model, matrix


def bytes_of(text: str, kept: int = 1 << 27) -> tuple[int, int]:
    """The bytes that the tables of a model hold, and the most that it took to make them."""
    gc.collect()
    tracemalloc.start()
    tables = BulkContributions(text, kept=kept)
    held, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert tables.outputs
    return held, most


def of_names(times: int) -> tuple[lgb.Booster, np.ndarray]:
    """A booster of 1,000 names, and rows; each name is a multiple of a number."""
    chance = np.random.default_rng(4)
    matrix = np.column_stack([chance.integers(0, 1_000, 8_000), chance.normal(size=8_000)])
    target = chance.normal(size=1_000)[matrix[:, 0].astype(int)] + matrix[:, 1]
    matrix = matrix * [times, 1]
    data = lgb.Dataset(matrix, target, categorical_feature=[0], params={"min_data_in_bin": 1, "max_bin": 2_000})
    asked = {"min_data_per_group": 1, "cat_smooth": 1, "max_cat_threshold": 500, "max_bin": 2_000}
    return lgb.train({**SILENT, **asked}, data, 60), matrix


@pytest.mark.slow
def test_large_numbers_of_names_take_no_more_memory_than_small_ones() -> None:
    (dense, _), (sparse, matrix) = of_names(1), of_names(1_000)
    assert_equal(BulkContributions(sparse.model_to_string())(matrix[:500]), by_lightgbm(sparse, matrix[:500]))
    small, large = bytes_of(dense.model_to_string()), bytes_of(sparse.model_to_string())
    assert large[0] < 1.2 * small[0]
    assert large[1] < 1.5 * small[1] + 4 * len(sparse.model_to_string()), "LightGBM writes a bit for each number"


@pytest.mark.slow
@pytest.mark.parametrize("which", ["names", "numbers", "long"])
def test_no_more_bytes_are_kept_than_may_be(which: str, model: lgb.Booster) -> None:
    found = {"names": lambda: of_names(1)[0], "numbers": lambda: model, "long": lambda: chain(18)[0]}[which]()
    text = found.model_to_string()
    without, whole = bytes_of(text, 0)[0], bytes_of(text)[0]
    for share in (0.1, 0.5, 0.9):
        kept = int(share * whole)
        assert bytes_of(text, kept)[0] < without + 1.25 * kept + 100_000


def test_wide_rows_and_trees_without_a_split() -> None:
    kinds = ["number"] * 40
    matrix = table(3, 400, kinds)
    model = booster(matrix, kinds, 20, num_leaves=20, feature_fraction=0.2)
    assert_equal(BulkContributions(model.model_to_string())(matrix), by_lightgbm(model, matrix))
    constant = booster(matrix, kinds, 3, min_data_in_leaf=400)
    assert_equal(BulkContributions(constant.model_to_string())(matrix), by_lightgbm(constant, matrix))


def test_what_has_no_tables_is_left_to_lightgbm(matrix: np.ndarray, kinds: list[str]) -> None:
    filled = np.nan_to_num(matrix)
    linear = booster(filled, kinds, 3, linear_tree=True, num_leaves=4)
    with pytest.raises(NotTabulated, match="linear models"):
        BulkContributions(linear.model_to_string())
    explain = Explainer(linear, linear.model_to_string(), np.eye(5))
    with pytest.raises(lgb.basic.LightGBMError, match="not implemented for linear trees"):
        explain(filled)
    assert "linear models" in explain.refusal
    model = booster(matrix, kinds, 3)
    emptied = re.sub("leaf_count=[0-9]+", "leaf_count=0", model.model_to_string())
    with pytest.raises(NotTabulated, match="no training rows"):
        BulkContributions(emptied)
    explain = Explainer(model, emptied, np.eye(5))
    np.testing.assert_array_equal(explain(matrix), by_lightgbm(model, matrix))
    assert "no training rows" in explain.refusal
    assert explain.prepare() == 0


def test_an_explanation_leaves_no_garbage(matrix: np.ndarray, kinds: list[str]) -> None:
    """`Booster.predict` leaves cycles, and a worker collects garbage seldom."""
    model = booster(matrix, kinds, 3)
    explain = Explainer(model, model.model_to_string(), np.eye(5))
    gc.collect()
    gc.disable()
    try:
        for _ in range(3):
            explain(matrix[:5])
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_few_rows_are_lightgbms_and_many_come_from_tables(model: lgb.Booster, matrix: np.ndarray) -> None:
    text = model.model_to_string()
    explain, tables = Explainer(model, text, np.eye(5)), BulkContributions(text)(matrix)
    expected = by_lightgbm(model, matrix)
    few = slice(explainer.FEW)
    np.testing.assert_array_equal(explain(matrix[few]), expected[few])  # to the bit: there are no tables yet
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(explain, [matrix] * 4):
            np.testing.assert_array_equal(found, tables)
    np.testing.assert_array_equal(explain(matrix[few]), tables[few])
    np.testing.assert_array_equal(explain(matrix[:1]), expected[:1])
    assert explain(matrix[:0]).shape == (0, 1, 6)
    assert_equal(tables, expected)


def test_who_always_wants_tables_gets_the_same_for_one_row_as_for_many(model: lgb.Booster, matrix: np.ndarray) -> None:
    text = model.model_to_string()
    explain, tables = Explainer(model, text, np.eye(5)), BulkContributions(text)(matrix)
    for rows in (matrix[:1], matrix[:0], matrix, matrix[7:9]):
        first = 7 if len(rows) == 2 else 0
        np.testing.assert_array_equal(explain(rows, always=True), tables[first : first + len(rows)])


def test_tables_are_made_before_the_first_row(model: lgb.Booster, matrix: np.ndarray) -> None:
    text = model.model_to_string()
    explain, few = Explainer(model, text, np.eye(5)), slice(explainer.FEW)
    assert explain.prepare() >= explainer.MANY
    np.testing.assert_array_equal(explain(matrix[few]), BulkContributions(text)(matrix[few]))


@given(st.integers(0, 10**9))
def test_many_rows_take_as_long_as_fewer_do(rows: int) -> None:
    assert effort(rows) <= rows
    assert effort(rows) <= effort(rows + 1)
    assert effort(rows) == rows or rows > explainer.MANY
