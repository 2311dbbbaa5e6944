"""What every problem must obey, and what makes a bundle's features another's."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import problems
from model.features import FeatureMatrix, Fitted, fit
from problems import base
from problems.base import Problem, calendar_features, owners
from tests.project import SHIPPED
from tests.strategies import good_rows
from validation.contract import Role
from validation.decode import Columns, to_arrays
from validation.decode_rows import RowDecoder
from validation.errors import ContractError
from validation.values import reader

VOCABULARY = ["a", "b", "c"]
PROBLEMS = [base.load(name) for name in SHIPPED]


def vocabularies_of(problem: Problem) -> dict[str, list[str]]:
    return {c.name: list(c.choices) if c.choices is not None else VOCABULARY for c in problem.contract.categories}


def columns_of(problem: Problem, rows: list[dict[str, object]]) -> Columns:
    vocabularies = vocabularies_of(problem)
    return to_arrays(
        problem.contract.inputs, RowDecoder(problem.contract, vocabularies).decode(rows).raise_if_rejected().inputs
    )


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.name)
@settings(max_examples=40)
@given(data=st.data())
def test_a_rows_features_do_not_depend_on_the_rows_beside_it(data: st.DataObject, problem: Problem) -> None:
    vocabularies = vocabularies_of(problem)
    rows = data.draw(st.lists(good_rows(problem.contract, vocabularies), min_size=1, max_size=5))
    known = {problem.contract.target.name: np.arange(float(len(rows))), **columns_of(problem, rows)}
    matrix = FeatureMatrix(problem, fit(problem, known))
    together = matrix(columns_of(problem, rows))
    alone = np.vstack([matrix(columns_of(problem, [row])) for row in rows])
    np.testing.assert_array_equal(together, alone)


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.name)
def test_no_feature_is_made_of_what_a_model_must_not_see(problem: Problem) -> None:
    row = problem.contract.example()
    hidden = {c.name for c in problem.contract.columns if c.role in (Role.TARGET, Role.KEY, Role.FORBIDDEN)}
    row_vocabularies = {column.name: [str(row[column.name])] for column in problem.contract.categories}
    decoded = RowDecoder(problem.contract, row_vocabularies).decode([row]).raise_if_rejected()
    columns = to_arrays(problem.contract.inputs, decoded.inputs)
    features = problem.features(columns, problem.fit({**columns, problem.contract.target.name: np.zeros(1)}))
    assert not hidden.intersection(owner for feature in features for owner in owners(feature))
    assert not hidden.intersection(column.name for column in problem.contract.inputs)


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.name)
def test_every_input_has_a_help_text_and_an_example(problem: Problem) -> None:
    assert all(column.help for column in problem.contract.columns)
    assert all(column.example is not None for column in problem.contract.inputs if not column.nullable)


def test_calendar_parts() -> None:
    days = np.array(["2024-02-29", "1969-12-31", "NaT"], dtype="datetime64[D]")
    moments = np.array(["2024-02-29T18:30:00"] * 3, dtype="datetime64[us]")
    features = calendar_features({"day": days, "moment": moments}, {})
    assert features["day.year"][:2].tolist() == [2024, 1969]
    assert features["day.month"][:2].tolist() == [2, 12]
    assert features["day.day_of_year"][:2].tolist() == [60, 365]
    assert features["day.weekday"][:2].tolist() == [3, 2]
    assert np.isnan(features["day.month"][2])
    assert features["moment.hour"][0] == 18.5


def test_owners_of_features() -> None:
    assert owners("date.month") == ("date",)
    assert owners("pickup+dropoff.distance") == ("pickup", "dropoff")


def test_an_unknown_problem_is_refused_with_those_there_are() -> None:
    with pytest.raises(ContractError, match=r"There are: .*flights"):
        base.load("nonsense")


@pytest.mark.parametrize(
    ("mistake", "says"),
    [
        ("x = (", "line 5: SyntaxError: '(' was never closed"),
        ("COLUMN = Column(nme=1)", "line 5: TypeError: Column.__init__() got an unexpected keyword argument 'nme'"),
        ("KIND = Kind.REEL", "line 5: AttributeError: "),
        ("from problems.base import Problm", "line 5: ImportError: cannot import name 'Problm'"),
        ("COLUMN = Column(name='É', kind=Kind.REAL)", "Column name 'É' must be lower snake case"),
        ("raise KeyError", "line 5: KeyError: "),
    ],
)
def test_a_mistake_in_a_problem_is_a_sentence_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mistake: str, says: str
) -> None:
    name = f"edited_{tmp_path.name[-1]}"
    module = tmp_path / "problems" / name / "__init__.py"
    module.parent.mkdir(parents=True)
    module.write_text(f"\n\nfrom validation.contract import Column, Kind\n\n{mistake}\n")
    monkeypatch.setattr(problems, "__path__", [str(tmp_path / "problems")])
    monkeypatch.setattr(base, "folder", lambda: tmp_path / "problems")
    with pytest.raises(ContractError) as caught:
        base.load(name)
    assert says in str(caught.value)


def test_names_that_training_did_not_see_are_missing(flights: Problem) -> None:
    fitted = Fitted({}, {}, {"origin": ["x"]}, ["origin"])
    problem = Problem(name="p", title="", contract=flights.contract, features=lambda c, s: {"origin": c["origin"]})
    matrix = FeatureMatrix(problem, fitted)({"origin": np.array(["x", "y", None], dtype=object)})
    assert matrix[0, 0] == 0.0
    assert np.isnan(matrix[1:, 0]).all()


def test_features_that_differ_from_the_fitted_ones_are_refused(flights: Problem) -> None:
    problem = Problem(name="p", title="", contract=flights.contract, features=lambda c, s: c)
    with pytest.raises(ContractError, match="depend on the rows"):
        FeatureMatrix(problem, Fitted({}, {}, {}, ["other"]))({"origin": np.zeros(1)})


def test_categorical_features_hold_texts(flights: Problem) -> None:
    def numbered(columns: Columns, state: object) -> Columns:
        return {"origin": np.array([1, 2], dtype=object)}

    problem = Problem(name="p", title="", contract=flights.contract, features=numbered)
    columns = {column.name: np.array(["a", "b"], dtype=object) for column in flights.contract.inputs}
    with pytest.raises(ContractError, match="its values are texts"):
        fit(problem, {**columns, "price": np.zeros(2)})


def learned(flights: Problem, state: Any = None, feature: str = "origin.share") -> Fitted:
    """What a problem learns whose `fit` returns `state` and that has one feature."""
    problem = Problem(
        name="p",
        title="",
        contract=flights.contract,
        fit=lambda columns: {} if state is None else state,
        features=lambda columns, state: {feature: np.zeros(2)},
    )
    columns = {column.name: np.array(["a", "b"], dtype=object) for column in flights.contract.inputs}
    return fit(problem, {**columns, "price": np.zeros(2)})


@pytest.mark.parametrize(
    ("state", "says"),
    [
        ({"means": {"Oslo": float("nan")}}, "the state['means']['Oslo'] is nan"),
        ({"bounds": [1.0, float("inf")]}, r"the state['bounds'][1] is inf"),
        ({"means": {3: 1.0}}, "the state['means'] has the key 3"),
        ({"known": {"a"}}, "the state['known'] is {'a'}"),
        ({"mean": np.float64(1)}, "numpy.float64 is unsupported"),
        (["a"], "Expected `object`, got `array`"),
    ],
)
def test_a_state_that_json_would_change_is_refused(flights: Problem, state: Any, says: str) -> None:
    with pytest.raises(ContractError, match="The fit of 'p' must return what JSON can hold") as caught:
        learned(flights, state)
    assert says in str(caught.value)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(state=st.dictionaries(st.text(max_size=3), JSON_VALUES, max_size=3))
def test_a_state_is_served_as_it_was_returned(flights: Problem, state: dict[str, Any]) -> None:
    assert learned(flights, state).state == state
    assert learned(flights, {"pair": (1, 2.5)}).state == {"pair": [1, 2.5]}


@pytest.mark.parametrize(
    "feature", ["origin.a b", "origin.a:b", 'origin."a"', "origin.[m2]", "origin.a,b", "", "origin.a\tb"]
)
def test_names_that_lightgbm_does_not_take_are_refused_before_anything_is_learned(
    flights: Problem, feature: str
) -> None:
    with pytest.raises(
        ContractError, match=r"The features of 'p' have one named .* LightGBM takes no name that is empty"
    ):
        learned(flights, feature=feature)


def test_a_feature_belongs_to_inputs_by_its_name(flights: Problem) -> None:
    assert learned(flights, feature="origin+destination.Şişli=1").feature_names == ["origin+destination.Şişli=1"]
    with pytest.raises(ContractError, match=r"The feature 'origin\+town.km' of 'p' belongs to 'town' by its name"):
        learned(flights, feature="origin+town.km")


def test_every_example_is_a_value_of_its_column() -> None:
    for problem in PROBLEMS:
        for column in problem.contract.columns:
            if column.example is not None:
                reader(column)(column.example)
