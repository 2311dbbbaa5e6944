"""One verdict on any row: the pandera gate, `:predict` and BentoML's native API of a running server."""

from typing import Any

import httpx
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st
from pandera.errors import SchemaErrors
from pandera.pandas import DataFrameSchema

from model.predictor import Predictor
from tests.strategies import any_rows
from validation import gates


def gate_accepts(gate: DataFrameSchema, row: dict[str, Any]) -> bool:
    table = pd.DataFrame({name: pd.Series([value], dtype=object).infer_objects() for name, value in row.items()})
    try:
        gate.validate(table, lazy=True)
    except SchemaErrors:
        return False
    return True


@settings(max_examples=10)
@given(data=st.data())
def test_gate_and_transports_agree(data: st.DataObject, predictor: Predictor, client: httpx.Client) -> None:
    vocabularies = predictor.manifest.fitted.vocabularies
    gate = gates.requests(predictor.contract, vocabularies)
    rows = data.draw(st.lists(any_rows(predictor.contract, vocabularies), min_size=30, max_size=30))
    together = client.post("/predict", json={"rows": rows}).json()
    for row, native in zip(rows, together, strict=True):
        http = client.post("/v1/models/flights:predict", json={"instances": [row]})
        assert http.status_code in (200, 422), http.text
        accepted = http.status_code == 200
        assert accepted == ("errors" not in native) == gate_accepts(gate, row)
        if accepted:
            [answer] = http.json()["predictions"]
            assert answer["prediction"] == native["prediction"]
            assert answer["warnings"] == native["warnings"]
        else:
            assert http.json()["errors"] == [{"row": 0, **error} for error in native["errors"]]
