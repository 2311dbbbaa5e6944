"""What is predicted, by which rule, and what can be predicted by nobody."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.training.draft.drafting import drafted
from training.draft import names
from validation.contract import Kind
from validation.errors import TableError

CHANCE = np.random.default_rng(0)
X = CHANCE.normal(size=300)


def of(values: Sequence[Any], header: str = "y") -> tuple[str, Any]:
    """The module of a table with this target, and its problem."""
    repeated = [values[place % len(values)] for place in range(300)]
    text, problem, _ = drafted({"x": X, header: repeated}, header)
    return text, problem


@pytest.mark.parametrize(
    ("header", "values", "task", "choices"),
    [
        ("y", [1.5, 2.5, 3.5, 7.25], "regression", None),
        ("y", [*range(40)], "regression", None),
        ("visits", [0, 1, 2, 3], "regression", None),
        ("quality_class", [3, 1, 2], "multiclass", ("1", "2", "3")),
        ("y", [2, 1], "binary", ("1", "2")),
        ("y", [1, 0], "binary", None),
        ("y", ["1.0", "0.0", "1.0"], "binary", None),
        ("y", [True, False], "binary", None),
        ("y", ["yes", "no"], "binary", ("no", "yes")),
        ("y", ["Y", "N"], "binary", ("N", "Y")),
        ("y", ["Yes", "YES", "No"], "binary", None),
        ("y", ["not white", "white"], "binary", ("not white", "white")),
        ("y", ["male", "female", "female"], "binary", ("female", "male")),
        ("y", ["good", "poor", "excellent"], "multiclass", ("poor", "good", "excellent")),
        ("y", ["b", "c", "a"], "multiclass", ("a", "b", "c")),
    ],
)
def test_numbers_and_classes(
    here: Path, header: str, values: list[Any], task: str, choices: tuple[str, ...] | None
) -> None:
    _, problem = of(values, header)
    assert problem.task == task
    assert problem.contract.target.choices == choices
    assert problem.contract.target.source == header


def test_a_keyword_is_a_name(here: Path) -> None:
    assert of([1.5, 2.5, 3.25], "class")[1].contract.target.name == "class"


@pytest.mark.parametrize(
    ("header", "values", "least"),
    [
        ("y", [0, 0, 3, 7.5], 0),
        ("y", [*np.linspace(0.1, 10, 100) ** 2], 0),  # many near 0, and none below
        ("visits", [*range(12)], 0),
        ("Price", [90.5, 100.5, 120.5], 0),
        ("fare_usd", [90.5, 100.5, 120.5], 0),
        ("price_change", [90.5, 100.5, 120.5], None),
        ("temperature", [9.5, 20.5, 30.5], None),
        ("y", [-0.5, *np.linspace(0.1, 10, 99) ** 2], None),
        ("price", [-1, 100.5, 120.5], None),
    ],
)
def test_a_number_that_is_never_below_0_is_bounded_there(
    here: Path, header: str, values: list[Any], least: float | None
) -> None:
    text, problem = of(values, header)
    assert problem.contract.target.ge == least
    assert ("ge=0, " in text or "ge=0)" in text) == (least is not None)
    assert ("none is below 0" in text) == (least is not None)


def test_few_whole_values_are_a_doubt(here: Path) -> None:
    assert "its 4 whole values are numbers; if they are labels, list them in `choices`" in of([0, 1, 2, 3])[0]
    assert "the rarer, is taken for the positive class; if not, turn `choices` round" in of(["a", "b", "b"])[0]


def test_a_rare_class_of_several_is_left_to_quarantine(here: Path) -> None:
    text, problem, _ = drafted({"x": X, "y": [*"ab" * 148, *"cccd"]}, "y")
    assert problem.contract.target.choices == ("a", "b")
    assert "4 rows of classes that have fewer than 10 ('c', 'd') go to quarantine" in text


def test_rows_without_a_target(here: Path) -> None:
    text, problem = of(["", 1.5, 2.5, "NA", 3.5])
    assert problem.partly_labelled
    assert "partly_labelled=True" in text
    assert not of([1.5, 2.5, 3.5])[1].partly_labelled


@pytest.mark.parametrize(
    ("columns", "target", "says"),
    [
        ({"x": X, "Price": X}, "prize", "There is no column 'prize' to predict. Did you mean 'Price'?"),
        ({"x": X, "Price": X}, "weight", "There is no column 'weight' to predict. There are: 'x', 'Price'."),
        ({"x": X, "y": [5] * 300}, "y", "Every row has y = '5': there is nothing to predict. Choose another column."),
        ({"x": X, "y": ["red", "RED"] * 150}, "y", "Every row has y = 'red': there is nothing to predict."),
        ({"x": X, "y": [""] * 300}, "y", "The target 'y' has no values. Choose another column."),
        ({"x": X[:1], "y": X[:1]}, "y", "1 row has a target; a draft needs 30"),
        ({"x": X[:10], "y": X[:10]}, "y", "10 rows have a target; a draft needs 30, to learn from some"),
        ({"x": X, "y": [*"a" * 297, *"b" * 3]}, "y", "Of y = 'b' there are 3 rows; a class needs 10, to be"),
        ({"x": X, "y": [1] * 297 + [0] * 3}, "y", "Of y = 'false' there are 3 rows; a class needs 10"),
        ({"x": X, "y": [f"t{n}" for n in range(300)]}, "y", "has 300 different texts; a model tells at most 100"),
        ({"x": X, "y": ["2023-05-31", "2023-06-01"] * 150}, "y", "The target 'y' is a date. Predict a number of days"),
        ({"x": ["a"] * 300, "y": X}, "y", "No column of table.csv is left to predict 'y' from"),
        ({f"x{n}": X[:40] for n in range(5_000)}, "x0", "has 5,000 columns; a draft takes at most 1,000. Leave"),
    ],
)  # fmt: skip
def test_what_cannot_be_predicted_is_said(here: Path, columns: dict[str, Any], target: str, says: str) -> None:
    with pytest.raises(TableError) as caught:
        drafted(columns, target)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ("/tmp/Wohnungen 2023.csv.gz", "wohnungen_2023"),  # noqa: S108 nothing is written there
        ("https://host/path/House-Prices.parquet?token=x", "house_prices"),
        ("s3://bucket/İstanbul.csv", "istanbul"),
        ("2023.csv", "table_2023"),
        ("features.csv", "features_table"),
        ("", "table"),
    ],
)
def test_a_problem_is_called_after_its_file(data: str, name: str) -> None:
    assert names.of_problem(data) == name


def test_a_target_that_is_a_column_of_many_names(here: Path) -> None:
    assert of([5, 7])[1].contract.target.kind is Kind.CATEGORY
