"""The journal: what callers were answered is recorded, bounded, off the request path, and never a request's trouble."""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from model.predictor import Predictor
from model.record import EXPLORING, KeyHash, Record
from serving import journal, journal_entry
from serving.application import Application
from serving.journal import Journal
from serving.settings import Settings
from tests.project import Project
from tests.serving.rest.test_http import EXPLAIN, PREDICT
from tests.serving.test_application import behind
from validation.contract import Contract
from validation.errors import SettingsError
from validation.parsing import names
from validation.table import Table

_read = msgspec.json.Decoder(Record).decode


def records(folder: Path) -> list[Record]:
    return [_read(line) for path in sorted(folder.glob("*.jsonl")) for line in path.read_bytes().splitlines()]


class Lines:
    """A sink that keeps what it gets."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def write(self, lines: Sequence[bytes]) -> int:
        self.records += [_read(line) for line in lines]
        return len(lines)

    def clean(self) -> None:
        """It holds a test's."""

    def close(self) -> None:
        """Nothing is open."""


def served(
    bundles: Sequence[Path], question: Callable[[httpx.AsyncClient], Awaitable[None]], **environment: str
) -> None:
    """Ask a service of this process with these models, which has ended when this returns."""

    async def main() -> None:
        application = Application({"BOXWOOD_GRPC_PORT": "0", **environment})
        for bundle in bundles:
            application.load(bundle, {})
        await application.listen()
        transport = httpx.ASGITransport(application.in_front_of(behind, lambda: {"paths": {}}))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            await question(client)
        await application.finish()

    asyncio.run(main())


@pytest.fixture
def bundle(trained: Project) -> Path:
    return trained.folder / "data/flights/bundle"


def tensors(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    kinds = {str: "BYTES", float: "FP64", int: "INT64"}
    return [
        {"name": name, "shape": [len(rows)], "datatype": kinds[type(value)], "data": [row[name] for row in rows]}
        for name, value in rows[0].items()
    ]


def test_what_callers_were_answered_is_recorded(bundle: Path, tmp_path: Path, row: dict[str, Any]) -> None:
    odd = {**row, "agency": "Nimbus", "travel_code": 17}
    answers: list[dict[str, Any]] = []

    async def ask(client: httpx.AsyncClient) -> None:
        one = (await client.post(PREDICT, json={"instances": [odd]})).json()["predictions"]
        many = (await client.post(PREDICT, json={"instances": [row] * 1_000})).json()["predictions"]
        partly = await client.post(PREDICT, params={"partial": "true"}, json={"instances": [{}, row]})
        each = (await client.post("/predict", json={"rows": [{}, row]})).json()
        inferred = (await client.post("/v2/models/flights/infer", json={"inputs": tensors([row] * 3)})).json()
        by_name = {output["name"]: output["data"] for output in inferred["outputs"]}
        table = [
            {"prediction": value, "prediction_id": name}
            for value, name in zip(by_name["prediction"], by_name["prediction_id"], strict=True)
        ]
        answers.extend([*one, *many, partly.json()["predictions"][1], each[1], *table])
        assert (await client.post(PREDICT, json={"instances": [{}]})).status_code == 422
        assert (await client.post(EXPLAIN, json={"instances": [row]})).status_code == 200

    limits = {"BOXWOOD_JOURNAL_ROWS_PER_SECOND": "5000", "BOXWOOD_JOURNAL_SECRET": "s"}
    served([bundle], ask, BOXWOOD_JOURNAL=str(tmp_path), **limits)
    by_id = {record.prediction_id: record for record in records(tmp_path)}
    assert by_id.keys() == {answer["prediction_id"] for answer in answers}, (
        "explanations and refused rows are not there"
    )
    for answer in answers:
        record = by_id[answer["prediction_id"]]
        assert (record.prediction, record.model, record.role) == (answer["prediction"], "flights", "")
        assert record.scores[0] == answer["prediction"]
    first = by_id[answers[0]["prediction_id"]]
    inputs = {name: value for name, value in odd.items() if name != "travel_code"}
    assert first.row == inputs, "a name that training did not see is there as it was sent"
    assert first.keys == KeyHash("s")({"travel_code": 17})
    assert "17" not in first.keys.values()


def test_a_name_that_requests_have_in_any_case_is_recorded_as_it_is_read(
    predictor: Predictor, row: dict[str, Any]
) -> None:
    columns = (
        replace(column, parse=names(lower=True)) if column.name in ("cabin", "agency") else column
        for column in predictor.contract.columns
    )
    joined = replace(predictor.problem, contract=Contract(tuple(columns)))
    asked = Predictor(replace(predictor.model, problem=joined), predictor.version)
    sent = {**row, "cabin": "ECONOMIC", "agency": "Nimbus"}
    assert asked.predict([sent]).predictions[0].prediction == asked.predict([row]).predictions[0].prediction
    [read] = journal_entry.inputs(asked, [sent])
    assert (read["cabin"], read["agency"]) == ("economic", "Nimbus")


def test_rows_that_are_no_cases_are_recorded_as_such(bundle: Path, tmp_path: Path, row: dict[str, Any]) -> None:
    async def ask(client: httpx.AsyncClient) -> None:
        for headers in ({}, {"x-boxwood-purpose": "exploring"}):
            for rows in ([row], [row] * 1_000):
                for path, body in (
                    (PREDICT, {"instances": rows}),
                    ("/predict", {"rows": rows}),
                    ("/v2/models/flights/infer", {"inputs": tensors(rows)}),
                ):
                    assert (await client.post(path, json=body, headers=headers)).status_code == 200
            assert (await client.post(EXPLAIN, json={"instances": [row]}, headers=headers)).status_code == 200
        for mistyped in ("explore", "", "EXPLORING"):
            refused = await client.post(PREDICT, json={"instances": [row]}, headers={"x-boxwood-purpose": mistyped})
            assert refused.status_code == 400
            said = f"X-Boxwood-Purpose is '{mistyped}'; it is 'exploring', or left out."
            assert refused.json()["detail"] == said

    served([bundle], ask, BOXWOOD_JOURNAL=str(tmp_path), BOXWOOD_JOURNAL_ROWS_PER_SECOND="20000")
    assert Counter(record.role for record in records(tmp_path)) == {"": 3_003, "exploring": 3_003}


def test_without_a_secret_no_key_is_recorded(bundle: Path, tmp_path: Path, row: dict[str, Any]) -> None:
    async def ask(client: httpx.AsyncClient) -> None:
        await client.post(PREDICT, json={"instances": [{**row, "travel_code": 17}]})

    served([bundle], ask, BOXWOOD_JOURNAL=str(tmp_path))
    [record] = records(tmp_path)
    assert record.keys == {}
    assert "travel_code" not in record.row


def test_equal_keys_have_equal_hashes_whatever_brought_them() -> None:
    of = KeyHash("secret")
    assert of({"code": 17}) == of({"code": 17.0}) == of({"code": "17"}) != of({"code": 18})
    assert of({"code": 17})["code"] != of({"user": 17})["user"]
    assert KeyHash("other")({"code": 17}) != of({"code": 17})
    assert of({"code": None}) == of(None) == KeyHash("")({"code": 17}) == {}


def left(predictor: Predictor, rows: list[dict[str, Any]] | Table, times: int = 1, **options: Any) -> list[Record]:
    """What is recorded of so many requests with these rows, all within a second."""
    sink = Lines()
    kept = Journal(sink, **options)
    decoded = predictor.decode(rows)
    scores = predictor.scores(decoded.inputs)
    for _ in range(times):
        kept.add(predictor, rows, decoded, scores, predictor.ids(len(scores)))
    kept.start()
    kept.stop()
    return sink.records


@pytest.mark.parametrize("count", [1, 20, 300])
def test_keys_of_tables_are_recorded_however_long_they_are(
    bundle: Path, tmp_path: Path, row: dict[str, Any], count: int
) -> None:
    async def ask(client: httpx.AsyncClient) -> None:
        inputs = tensors([{**row, "travel_code": 100 + place} for place in range(count)])
        assert (await client.post("/v2/models/flights/infer", json={"inputs": inputs})).status_code == 200

    limits = {"BOXWOOD_JOURNAL_ROWS_PER_SECOND": "5000", "BOXWOOD_JOURNAL_SECRET": "s"}
    served([bundle], ask, BOXWOOD_JOURNAL=str(tmp_path), **limits)
    expected = [KeyHash("s")({"travel_code": 100 + place}) for place in range(count)]
    assert [record.keys for record in records(tmp_path)] == expected


def test_no_more_is_recorded_than_it_may_take(predictor: Predictor, row: dict[str, Any]) -> None:
    assert len(left(predictor, [row], times=100, rows_per_second=7)) == 7


def test_rows_that_are_no_cases_take_no_room_of_cases(predictor: Predictor, row: dict[str, Any]) -> None:
    sink = Lines()
    kept = Journal(sink, rows_per_second=200)
    for count, role in ((2_000, EXPLORING), (1, ""), (2_000, EXPLORING), (2_000, "")):
        decoded = predictor.decode([row] * count)
        scores = predictor.scores(decoded.inputs)
        kept.add(predictor, [row] * count, decoded, scores, predictor.ids(count), role)
    kept.start()
    kept.stop()
    assert Counter(record.role for record in sink.records) == {"": 200, EXPLORING: 50}
    assert sink.records[50].role == "", "the case that came between them is there"


@pytest.mark.parametrize("as_table", [False, True])
def test_of_a_long_table_rows_from_everywhere_are_recorded(
    predictor: Predictor, row: dict[str, Any], as_table: bool
) -> None:
    rows = [{**row, "distance_km": 100.0 + place} for place in range(1_000)]
    table = Table({name: [each[name] for each in rows] for name in row}, 1_000)
    taken = left(predictor, table if as_table else rows, rows_per_second=10)
    places = [int(record.row["distance_km"]) - 100 for record in taken]
    assert len(set(places)) == 10
    assert all(100 * tenth <= place < 100 * (tenth + 1) for tenth, place in enumerate(places))
    for record, place in zip(taken, places, strict=True):
        expected = predictor.predict([rows[place]]).predictions[0]
        assert record.prediction == pytest.approx(expected.prediction)


def test_a_share_of_the_rows_is_recorded(predictor: Predictor, row: dict[str, Any]) -> None:
    taken = left(predictor, [row], times=4_000, share=0.25, rows_per_second=10_000)
    assert 850 < len(taken) < 1_150  # five deviations of a binomial
    assert len(left(predictor, [row] * 1_000, share=0.25, rows_per_second=10_000)) in (250, 251)


def test_a_folder_that_cannot_be_written_to_ends_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match=r"BOXWOOD_JOURNAL is .*file/journal, where nothing can be written"):
        journal.begun(Settings(journal=str(tmp_path / "file/journal")))


def test_a_structured_log_takes_lines_too(bundle: Path, row: dict[str, Any], capfdbinary: Any) -> None:
    async def ask(client: httpx.AsyncClient) -> None:
        await client.post(PREDICT, json={"instances": [row]})

    served([bundle], ask, BOXWOOD_JOURNAL="stdout")
    [line] = capfdbinary.readouterr().out.splitlines()
    assert _read(line).row == row
    assert json.loads(line)["event"] == "prediction"
