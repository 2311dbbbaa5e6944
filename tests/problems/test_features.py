"""What the shared features compute, and that a bundle knows their source."""

import inspect
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from problems import base, features
from problems.base import Problem, State, owners
from problems.features import cross, ratio
from tests.project import ROOT
from validation.decode import Columns
from validation.names import normal


def named(**columns: list[str | None]) -> Columns:
    return {name: np.array(values, dtype=object) for name, values in columns.items()}


def test_a_cross_has_a_name_for_each_pair_and_none_where_one_is_missing() -> None:
    columns = named(
        district=["Kadıköy", "Kadıköy", "Şişli", None, "Şişli"], heating=["a", "b", "a", "a", None], floor=["1"] * 5
    )
    [(name, values)] = cross(columns, "district", "heating").items()
    assert owners(name) == ("district", "heating")
    assert (values.dtype, values.shape) == (np.dtype(object), (5,))
    assert len(set(values[:3])) == 3
    assert values[3:].tolist() == [None, None]
    [name] = cross(columns, "district", "heating", "floor")
    assert owners(name) == ("district", "heating", "floor")


def test_a_cross_of_no_rows_has_none() -> None:
    [values] = cross(named(a=[], b=[]), "a", "b").values()
    assert (values.dtype, values.shape) == (np.dtype(object), (0,))


NAMES = st.text(max_size=5).map(normal).filter(bool)


@given(st.lists(st.tuples(NAMES, NAMES), min_size=1, unique=True))
def test_different_pairs_have_different_names(pairs: list[tuple[str, str]]) -> None:
    first, second = zip(*pairs, strict=True)
    [values] = cross(named(a=list(first), b=list(second)), "a", "b").values()
    assert len(set(values)) == len(pairs)


def test_a_ratio_is_missing_where_there_is_none() -> None:
    columns = {"net": np.array([50.0, np.nan, 1.0, 1.0]), "gross": np.array([100.0, 1.0, np.nan, 0.0])}
    [(name, values)] = ratio(columns, "net", "gross").items()
    assert owners(name) == ("net", "gross")
    np.testing.assert_array_equal(values, [0.5, np.nan, np.nan, np.nan])


def crossed(columns: Columns, state: State) -> Columns:
    return {**columns, **cross(columns, "origin", "cabin")}


def test_a_changed_helper_changes_the_hash_of_the_problems_that_use_it(
    flights: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hashes() -> tuple[str, str]:
        asked = Problem(name="p", title="t", contract=flights.contract, features=crossed)
        other = Problem(name="p", title="t", contract=flights.contract)
        return asked.features_hash, other.features_hash

    before, source, original = hashes(), inspect.getsource(features), inspect.getsource

    def edited(old: str, new: str) -> tuple[str, str]:
        assert old in source
        monkeypatch.setattr(
            inspect, "getsource", lambda module: source.replace(old, new) if module is features else original(module)
        )
        return hashes()

    assert edited("The names of several categories joined", "Names joined") == before
    for old, new in (("if None in row", "if None == row[0]"), ('_BETWEEN = "\\n"', '_BETWEEN = "\\t"')):
        after = edited(old, new)
        assert after[0] != before[0]
        assert after[1] == before[1]


def test_what_problems_share_is_no_problem_and_every_stage_depends_on_it() -> None:
    shared = {path.stem for path in (ROOT / "problems").iterdir() if path.stem not in base.names()} - {"__pycache__"}
    assert shared == {"__init__", "base", "features", "parameters", "sources"}
    stages: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    for name, stage in stages.items():
        paths = {dep.removesuffix(".py") for dep in stage["deps"]}
        assert {f"problems/{module}" for module in shared} <= paths, name
