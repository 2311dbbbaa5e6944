"""Paths of many features are explained too, exactly where LightGBM itself is not."""

from collections.abc import Sequence
from fractions import Fraction
from math import comb

import numpy as np
import pytest

from model.contributions import BulkContributions
from model.contributions.trees import Tree, read_forest
from tests.model.test_contributions import assert_equal, by_lightgbm, chain


@pytest.mark.parametrize("features", [14, 15, 16, 18])
def test_paths_of_many_features(features: int) -> None:
    model, matrix = chain(features)
    owners = np.linspace(0, 1, 2 * features).reshape(features, 2)
    expected = by_lightgbm(model, matrix)
    assert_equal(BulkContributions(model.model_to_string())(matrix, threads=2), expected)
    found = BulkContributions(model.model_to_string(), owners)(matrix)
    np.testing.assert_allclose(found[..., :-1], expected[..., :-1] @ owners, atol=1e-9 * np.abs(expected).max())


@pytest.mark.slow
def test_a_path_of_thirty_features_is_explained_exactly() -> None:
    """LightGBM is off by 1e-9 there, since its TreeSHAP takes differences; the truth is computed with fractions."""
    model, matrix = chain(30)
    rows = matrix[:1]
    found = BulkContributions(model.model_to_string())(rows)[0, 0, :-1]
    truth = np.array([float(value) for value in exact(read_forest(model.model_to_string()).trees, rows[0])])
    assert np.abs(found - truth).max() <= 1e-14 * np.abs(truth).max()
    np.testing.assert_allclose(by_lightgbm(model, rows)[0, 0, :-1], truth, atol=1e-7)


def exact(trees: Sequence[Tree], row: np.ndarray) -> list[Fraction]:
    """Shapley values by their definition, as weighted counts of coalitions; thresholds only, no missing values."""
    found = [Fraction(0)] * len(row)
    for tree in trees:
        paths: dict[int, dict[int, tuple[int, Fraction]]] = {0: {}}
        for node, (split, children) in enumerate(zip(tree.splits, tree.children, strict=True)):
            path, left = paths.pop(node), row[split.feature] <= split.threshold
            held, share = path.get(split.feature, (1, Fraction(1)))
            for child, passes in zip(children, (left, not left), strict=True):
                part = Fraction(tree.rows(child), tree.node_rows[node])
                paths[child] = {**path, split.feature: (held * bool(passes), share * part)}
        for place, path in paths.items():
            for feature, (held, share) in path.items():
                sizes = [Fraction(1)]  # by the size of a coalition, the sum of their products
                for known, other in (item for name, item in path.items() if name != feature):
                    none = [Fraction(0)]
                    sizes = [low * other + high * known for low, high in zip(sizes + none, none + sizes, strict=True)]
                parts = [part / comb(len(path) - 1, size) for size, part in enumerate(sizes)]
                mean = sum(parts, Fraction(0)) / len(path)
                found[feature] += Fraction(float(tree.values[~place])) * (held - share) * mean
    return found
