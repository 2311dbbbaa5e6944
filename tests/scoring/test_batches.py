"""A record batch: its answers are those to its rows, however it is cut and whatever types hold it."""

import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.predictor import Predictor, open_predictor
from scoring.batches import Scorer
from tests.project import Project
from tests.scoring import made
from tests.strategies import good_rows
from validation.errors import TableError

Row = dict[str, Any]


@pytest.fixture(scope="module")
def scorer(predictor: Predictor) -> Scorer:
    return Scorer(predictor)


def answered(scorer: Scorer, batches: list[pa.RecordBatch]) -> tuple[pa.Table, pa.Table, int]:
    """Answers and reasons of batches that follow each other, and how many rows were refused."""
    found, first = [], 0
    for batch in batches:
        found.append(scorer.answers(batch, first))
        first += len(batch)
    answers = pa.Table.from_batches([each.answers for each in found], scorer.schema)
    return answers, pa.Table.from_batches([each.refused for each in found]), sum(each.bad for each in found)


@settings(max_examples=60)
@given(data=st.data())
def test_any_table_split_in_any_way_gets_the_answers_of_its_rows(
    data: st.DataObject, predictor: Predictor, scorer: Scorer
) -> None:
    contract, names = predictor.contract, predictor.model.fitted.vocabularies
    rows = data.draw(st.lists(good_rows(contract, names), min_size=1, max_size=60))
    columns = [column.name for column in (*contract.inputs, *contract.keys)]
    rows = [{name: row.get(name) for name in columns} for row in rows]
    for place in data.draw(st.sets(st.integers(0, len(rows) - 1))):  # missing, or of no city that there is
        name = data.draw(st.sampled_from(columns))
        rows[place] = {**rows[place], name: "nowhere" if name in names else None}
    held = data.draw(st.sampled_from(["texts", "days", "codes"]))
    whole = pa.Table.from_pylist(rows, _schema(contract)).combine_chunks()
    if held != "texts":
        whole = _typed(whole, held)
    step = data.draw(st.integers(1, len(rows)))
    answers, refused, bad = answered(scorer, whole.to_batches(max_chunksize=step))

    decoded = predictor.decode(rows)
    assert made.scores(answers).tobytes() == np.ascontiguousarray(predictor.scores(decoded.inputs)).tobytes()
    assert answers["row"].to_pylist() == decoded.positions
    assert answers["warnings"].to_pylist() == [
        "; ".join(decoded.warnings.get(place, ())) for place in range(len(decoded.positions))
    ]
    for key in contract.keys:
        sent = [(keys or {}).get(key.name) for keys in decoded.keys]
        assert answers[f"key_{key.name}"].to_pylist() == sent
    assert bad == len(rows) - len(decoded.positions)
    told = [(reason["row"], reason["column"], reason["reason"]) for reason in refused.to_pylist()]
    assert told == [(error.row, error.column, error.message) for error in decoded.errors]


def _schema(contract: Any) -> pa.Schema:
    kinds = {"real": pa.float64(), "integer": pa.int64()}
    columns = (*contract.inputs, *contract.keys)
    return pa.schema([(column.name, kinds.get(column.kind, pa.string())) for column in columns])


def _typed(whole: pa.Table, held: str) -> pa.Table:
    """The same table with days as days, and perhaps names by their codes."""
    place = whole.schema.get_field_index("date")
    days = [None if text is None else datetime.date.fromisoformat(text) for text in whole["date"].to_pylist()]
    whole = whole.set_column(place, "date", pa.array(days, pa.date32()))
    if held == "codes":
        for name in ("origin", "cabin"):
            whole = whole.set_column(
                whole.schema.get_field_index(name), name, whole[name].combine_chunks().dictionary_encode()
            )
    return whole


@pytest.mark.parametrize(
    ("values", "refused"),
    [
        (pa.array([1, 2], pa.decimal128(9, 2)), []),
        (pa.array([1, 2], pa.float16()), []),
        (pa.array([1, 2], pa.uint8()), []),
        (pa.array([1, None], pa.int64()), ["null is not allowed here"]),
        (pa.array(["1", "2"]), ["'1' is not a number", "'2' is not a number"]),
        (pa.array([True, False]), ["True is not a number", "False is not a number"]),
        (pa.array([[1], [2]]), ["[1] is not a number", "[2] is not a number"]),
        (pa.nulls(2), ["null is not allowed here", "null is not allowed here"]),
    ],
)
def test_numbers_of_any_type_are_numbers_and_nothing_else_is(
    values: pa.Array, refused: list[str], scorer: Scorer, predictor: Predictor
) -> None:
    table = made.table(made.rows(predictor, 2))
    table = table.set_column(table.schema.get_field_index("duration_hours"), "duration_hours", values)
    [batch] = table.combine_chunks().to_batches()
    found = scorer.answers(batch)
    assert found.refused.column("reason").to_pylist() == refused
    assert found.bad == len(refused)


def test_days_and_times_of_any_type(scorer: Scorer, predictor: Predictor) -> None:
    day = datetime.datetime(2022, 5, 12)
    rows = made.rows(predictor, 40)
    for row in rows:
        row["date"] = "2022-05-12"
    table = made.table(rows)
    [batch] = table.to_batches()
    expected = made.scores(pa.Table.from_batches([scorer.answers(batch).answers]))
    place = table.schema.get_field_index("date")
    for kind in (*map(pa.timestamp, ("s", "ms", "us", "ns")), pa.timestamp("us", "Europe/Istanbul"), pa.date64()):
        midnight = pa.array([day] * 40, pa.timestamp("us"))
        if pa.types.is_timestamp(kind) and kind.tz:
            midnight = pa.compute.assume_timezone(midnight, kind.tz)
        [typed] = table.set_column(place, "date", midnight.cast(kind)).to_batches()
        assert (made.scores(pa.Table.from_batches([scorer.answers(typed).answers])) == expected).all(), kind
    [later] = table.set_column(place, "date", pa.array([day.replace(hour=3)] * 40)).to_batches()
    assert scorer.answers(later).bad == 40


def test_every_refused_row_has_its_reasons_however_many_there_are(scorer: Scorer, predictor: Predictor) -> None:
    rows = made.rows(predictor, 500)
    for place in range(0, 500, 2):
        rows[place] |= {"cabin": "busines", "distance_km": -1.0}
    found = scorer.answers(made.table(rows).to_batches()[0], 1_000)
    reasons = found.refused.to_pylist()
    assert [reason["row"] for reason in reasons] == [1_000 + place for place in range(0, 500, 2) for _ in range(2)]
    assert {reason["column"] for reason in reasons} == {"cabin", "distance_km"}
    assert found.bad == 250


def test_explanations_add_up(bundle: Path) -> None:
    scorer = Scorer.open(bundle, explain=True)
    rows = made.rows(scorer.predictor, 30)
    table = pa.Table.from_batches([scorer.answers(made.table(rows).to_batches()[0]).answers])
    names = [name for name in table.schema.names if name.startswith("contribution_")]
    assert names == [f"contribution_{column.name}" for column in scorer.predictor.contract.inputs]
    total = sum(table[name].to_numpy() for name in names) + table["base_value"].to_numpy()
    explained = scorer.predictor.explain(rows).explanations
    sums = [each.base_value + sum(each.contributions.values()) for each in explained]
    np.testing.assert_allclose(total, sums, rtol=1e-12)


def test_classes_have_probabilities_and_sets(churned: Project) -> None:
    predictor = open_predictor(churned.folder / "data/churn/bundle")
    scorer = Scorer(predictor)
    example = predictor.contract.example()
    [batch] = pa.Table.from_pylist([example] * 20).combine_chunks().to_batches()
    found = scorer.answers(batch).answers
    [answer] = predictor.predict([example]).predictions
    assert answer.probabilities
    assert found.column("prediction").to_pylist() == [answer.prediction] * 20
    assert found.column("probability_Yes").to_pylist() == [answer.probabilities["Yes"]] * 20


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda table: table.drop_columns(["cabin"]), "The table has no column 'cabin', which the model needs"),
        (lambda table: table.append_column("price", pa.nulls(3)), "The table has the column 'price'"),
        (lambda table: table.append_column("cabin", pa.nulls(3)), "The table has two columns 'cabin'"),
    ],
)
def test_a_batch_of_other_columns_is_refused(change: Any, sentence: str, scorer: Scorer, predictor: Predictor) -> None:
    [batch] = change(made.table(made.rows(predictor, 3))).combine_chunks().to_batches()
    with pytest.raises(TableError, match=sentence):
        scorer.answers(batch)
