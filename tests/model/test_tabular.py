import pytest

from model import tabular
from model.outcomes.binary import Binary
from problems import base
from validation.wire import Prediction


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
    answer = Prediction(
        prediction=labels[0],
        probabilities=dict(zip(labels, (0.7, 0.3), strict=True)),
        warnings=["one", "two"],
        prediction_id="1",
        keys={"customer_id": "x"},
    )
    assert [tabular.row(outcome, answer)[name] for name in names] == [labels[0], 0.7, 0.3, "one; two", "x"]
