import numpy as np
import pandas as pd
import pytest

from model import tabular
from model.outcomes.binary import Binary
from problems import base


@pytest.mark.parametrize(
    ("labels", "columns"),
    [
        (("No", "Yes"), ["probability_No", "probability_Yes"]),
        (("<=50K", ">50K"), ["probability___50K", "probability__50K"]),
        (("a b", "a.b"), ["probability_0", "probability_1"]),
    ],
)
def test_every_label_has_a_column_of_its_own(labels: tuple[str, str], columns: list[str]) -> None:
    outcome = Binary(labels, 1.0, 0.0, 0.5)
    names = tabular.columns(outcome, base.load("churn").contract)
    assert names == ["prediction", *columns, "warnings", "key_customer_id"]
    answers = tabular.answers(outcome, np.array([[0.25], [0.5]]))
    assert list(answers) == names[:3]
    assert [values.tolist() for values in answers.values()] == [list(labels), [0.75, 0.5], [0.25, 0.5]]


def test_frames_hold_what_python_holds() -> None:
    """Whatever pandas keeps it in: objects of NumPy would be no numbers to the decoder."""
    frame = pd.DataFrame(
        {
            "a": pd.Series([np.int64(1), np.float64(2.5), np.bool_(True), None], dtype=object),
            "b": pd.Series([1, None, 3, 4], dtype="Int64"),
            "c": pd.Categorical(["x", None, "x", "y"]),
            "d": np.arange(4.0),
        }
    )
    rows = tabular.table(frame).rows()
    types = [[type(value) for value in row.values()] for row in rows[:2]]
    assert types == [[int, int, str, float], [float, type(None), type(None), float]]
    assert [row["a"] for row in rows] == [1, 2.5, True, None]


def test_two_columns_of_a_name_are_refused() -> None:
    with pytest.raises(ValueError, match="Two columns are named 'a'"):
        tabular.table(pd.concat([pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [2]})], axis=1))
