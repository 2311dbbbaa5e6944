"""Lines of the audit: whole, bounded, and never a request's trouble."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from serving.access import audit
from serving.access.audit import MOST_IDS, Audit
from serving.access.caller import Asked, Caller, Usage
from serving.journal_files import Files
from serving.settings import Settings
from tests.serving.access.test_http import until
from validation.errors import SettingsError
from validation.wire import Prediction, Predictions

LABELS = ("v1", "predict", "flights", "abc")


def leave(running: Audit, caller: str, answer: Any = None, request: str | None = None) -> None:
    asked = Asked(Caller(caller, Usage(caller)))
    asked.answer, asked.rows = answer, 1
    running.add(asked, LABELS, "ok", 0.001, request)


def predictions(count: int) -> Predictions:
    made = [Prediction(prediction=1.0, warnings=[], prediction_id=f"{number:x}") for number in range(count)]
    return Predictions("flights", "abc", made)


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[tuple[Audit, Path]]:
    folder = tmp_path / "audit"
    running = audit.begun(Settings(audit=str(folder)), lambda: 1_800_000_000.25)
    yield running, folder
    running.stop()


def written(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(text) for file in sorted(folder.glob("*.jsonl")) for text in file.read_bytes().splitlines()]


def counted(outcome: str) -> float:
    return REGISTRY.get_sample_value("boxwood_audit_lines_total", {"outcome": outcome}) or 0.0


def test_a_line_has_what_there_is(kept: tuple[Audit, Path]) -> None:
    running, folder = kept
    leave(running, 'a "b"', predictions(1), 'x"y')
    leave(running, "c", predictions(MOST_IDS + 5))
    first, second = until(lambda: len(lines := written(folder)) == 2 and lines)
    assert first == {
        "event": "request", "caller": 'a "b"', "transport": "v1", "verb": "predict", "model": "flights",
        "version": "abc", "outcome": "ok", "time": "2027-01-15T08:00:00.250Z", "rows": 1, "seconds": 0.001,
        "prediction_ids": ["0"], "request_id": 'x"y',
    }  # fmt: skip
    assert len(second["prediction_ids"]) == MOST_IDS
    assert second["prediction_count"] == MOST_IDS + 5


def test_a_folder_that_is_gone_costs_lines_and_is_counted(kept: tuple[Audit, Path]) -> None:
    running, folder = kept
    failed = counted("failed")
    shutil.rmtree(folder)
    folder.write_text("")  # where it was
    leave(running, "lost")
    until(lambda: counted("failed") == failed + 1)
    folder.unlink()
    leave(running, "kept")
    assert until(lambda: folder.is_dir() and written(folder))[0]["caller"] == "kept"


def test_what_is_more_than_may_wait_is_dropped_and_counted(tmp_path: Path) -> None:
    dropped, more = counted("dropped"), 10
    running = Audit(Files(tmp_path, file_megabytes=64, megabytes=200, days=1))
    for _ in range(100_000 + more):
        leave(running, "a")
    running.start()
    running.stop()
    until(lambda: counted("dropped") == dropped + more)


def test_a_folder_that_cannot_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="BOXWOOD_AUDIT is"):
        audit.begun(Settings(audit=str(tmp_path / "file/audit")))
