"""What the journal cannot write is counted and said, and costs no request, no other row and no end of a worker."""

import collections
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from model.predictor import Predictor
from model.record import KeyHash
from serving.journal import Journal
from serving.telemetry import instruments
from tests.project import Project
from tests.serving.rest.test_http import PREDICT
from tests.serving.test_journal import Lines, served
from validation.decode import Decoded


@pytest.fixture
def bundle(trained: Project) -> Path:
    return trained.folder / "data/flights/bundle"


def outcomes() -> collections.Counter[str]:
    """How many rows came to which end in this process."""
    [rows] = instruments().journal_rows.collect()
    totals = (sample for sample in rows.samples if sample.name.endswith("_total"))
    return collections.Counter({sample.labels["outcome"]: int(sample.value) for sample in totals})


BAD = "\ud800"
"""Half of a character, which no encoding has."""


@pytest.mark.parametrize("column", ["agency", "travel_code"])
@pytest.mark.parametrize("together", [True, False])
def test_a_row_that_cannot_be_written_costs_no_other(
    predictor: Predictor, row: dict[str, Any], column: str, together: bool
) -> None:
    rows = [{**row, "travel_code": place} for place in range(100)]
    rows[50][column] = BAD
    sink = Lines()
    kept = Journal(sink, secret="s")  # noqa: S106
    before = outcomes()
    for part in [rows] if together else [[each] for each in rows]:
        scores = predictor.scores(predictor.decode([row] * len(part)).inputs)
        decoded = Decoded(total=len(part), positions=[*range(len(part))])
        kept.add(predictor, part, decoded, scores, predictor.ids(len(part)))
    kept.start()
    kept.stop()
    codes = [KeyHash("s")({"travel_code": place}) for place in range(100) if place != 50]
    assert [record.keys for record in sink.records] == codes
    assert outcomes() - before == {"written": 99, "failed": 1}


class Broken(Lines):
    """A sink that fails at first."""

    def __init__(self) -> None:
        super().__init__()
        self.failed, self.wrote = threading.Event(), threading.Event()

    def write(self, lines: Sequence[bytes]) -> int:
        if not self.failed.is_set():
            self.failed.set()
            raise OSError("No space left on device")
        count = super().write(lines)
        self.wrote.set()
        return count


def test_a_failure_is_no_requests_trouble_and_not_the_end(
    bundle: Path, tmp_path: Path, row: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    async def ask(client: httpx.AsyncClient) -> None:
        for path in tmp_path.iterdir():
            path.unlink()
        tmp_path.rmdir()
        tmp_path.write_text("a file where the folder was")
        answer = await client.post(PREDICT, json={"instances": [row]})
        assert answer.status_code == 200

    served([bundle], ask, BOXWOOD_JOURNAL=str(tmp_path))
    assert "journal rows are lost" in caplog.text


def test_the_next_second_is_another_try(predictor: Predictor, row: dict[str, Any]) -> None:
    sink = Broken()
    kept = Journal(sink)
    decoded = predictor.decode([row])
    scores = predictor.scores(decoded.inputs)
    kept.add(predictor, [row], decoded, scores, predictor.ids(1))
    kept.start()
    assert sink.failed.wait(60)
    while not sink.wrote.wait(0.01):
        kept.add(predictor, [row], decoded, scores, ["after"])
    kept.stop()
    assert {record.prediction_id for record in sink.records} == {"after"}


def test_of_lines_that_were_written_in_part_the_rest_failed(
    predictor: Predictor, row: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    class Full(Lines):
        def write(self, lines: Sequence[bytes]) -> int:
            return super().write(lines[:3])

    sink, before = Full(), outcomes()
    kept = Journal(sink)
    decoded = predictor.decode([row] * 10)
    kept.add(predictor, [row] * 10, decoded, predictor.scores(decoded.inputs), predictor.ids(10))
    kept.start()
    kept.stop()
    assert outcomes() - before == {"written": 3, "failed": 7}
    assert "3 of 10 lines were written; the disk is full" in caplog.text


def test_what_cannot_be_removed_costs_no_row(
    predictor: Predictor, row: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    class Stuck(Lines):
        def clean(self) -> None:
            raise PermissionError

    sink, before = Stuck(), outcomes()
    kept = Journal(sink)
    decoded = predictor.decode([row])
    kept.add(predictor, [row], decoded, predictor.scores(decoded.inputs), predictor.ids(1))
    kept.start()
    kept.stop()
    assert outcomes() - before == {"written": 1}
    assert "old journal files cannot be removed" in caplog.text


def test_the_end_does_not_wait_for_a_sink_that_hangs(
    predictor: Predictor, row: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    goes_on, wrote = threading.Event(), threading.Event()

    class Hangs(Lines):
        def write(self, lines: Sequence[bytes]) -> int:
            goes_on.wait()
            count = super().write(lines)
            wrote.set()
            return count

    kept = Journal(Hangs())
    decoded = predictor.decode([row])
    kept.add(predictor, [row], decoded, predictor.scores(decoded.inputs), predictor.ids(1))
    kept.start()
    kept.stop()
    assert not wrote.is_set()
    assert "journal rows are lost: what takes them hangs" in caplog.text
    goes_on.set()
    assert wrote.wait(60)
