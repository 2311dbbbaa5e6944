import numpy as np
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
