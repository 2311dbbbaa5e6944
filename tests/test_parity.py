"""One verdict on any row: the pandera gate, `:predict` and BentoML's native API of a running server."""

from typing import Any

import httpx
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st
from pandera.errors import SchemaErrors

from model.predictor import Predictor
from tests.strategies import any_rows
from validation import gates


def gate_accepts(predictor: Predictor, row: dict[str, Any]) -> bool:
    table = pd.DataFrame({name: pd.Series([value], dtype=object).infer_objects() for name, value in row.items()})
    schema = gates.requests(predictor.contract, predictor.manifest.fitted.vocabularies)
    try:
        schema.validate(table, lazy=True)
    except SchemaErrors:
        return False
    return True


@settings(max_examples=300)
@given(data=st.data())
def test_gate_and_transports_agree(data: st.DataObject, predictor: Predictor, client: httpx.Client) -> None:
    row = data.draw(any_rows(predictor.contract, predictor.manifest.fitted.vocabularies))
    http = client.post("/v1/models/flights:predict", json={"instances": [row]})
    [native] = client.post("/predict", json={"rows": [row]}).json()
    assert http.status_code in (200, 422), http.text
    accepted = http.status_code == 200
    assert accepted == ("errors" not in native) == gate_accepts(predictor, row)
    if accepted:
        [answer] = http.json()["predictions"]
        assert answer["prediction"] == native["prediction"]
        assert answer["warnings"] == native["warnings"]
    else:
        assert http.json()["errors"] == [{"row": 0, **error} for error in native["errors"]]
