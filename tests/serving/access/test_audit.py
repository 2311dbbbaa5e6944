"""Lines of the audit: whole, bounded, and never a request's trouble."""

import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from serving.access import audit
from serving.access.audit import LEFT_OUT, MOST_IDS, MOST_WAITING, STRANGERS_A_SECOND, Audit
from serving.access.caller import Asked, Caller, Ended, Usage
from serving.journal_files import Files
from serving.settings import Settings
from tests.docs.blocks import block
from tests.serving.access.test_http import until
from validation.errors import SettingsError
from validation.wire import Prediction, Predictions

LABELS = ("v1", "predict", "flights", "abc")


def leave(running: Audit, caller: str, answer: Any = None, request: str | None = None) -> None:
    asked = Asked(Caller(caller, Usage(caller)))
    asked.answer, asked.rows = answer, 1
    running.add([(asked, LABELS, "ok", 0.001, request)])


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
    shown = json.loads(block("how-to/keys.md", '{"event": "request",'))
    assert [(name, type(value)) for name, value in shown.items()] == [
        (name, type(value)) for name, value in first.items()
    ]
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


@pytest.mark.parametrize(("lines", "ids"), [(200_000, 0), (10_000, MOST_IDS)])
def test_what_is_more_than_may_wait_is_dropped_and_counted(tmp_path: Path, lines: int, ids: int) -> None:
    dropped, answer = counted("dropped"), predictions(ids)
    running = Audit(Files(tmp_path, file_megabytes=64, megabytes=200, days=1))
    for _ in range(lines):
        leave(running, "a", answer)
    running.start()
    running.stop()
    kept = len(written(tmp_path))
    until(lambda: counted("dropped") == dropped + lines - kept)
    assert 0.9 * MOST_WAITING < sum(file.stat().st_size for file in tmp_path.iterdir()) < 1.1 * MOST_WAITING


class Odd:
    """A sink that fails at first as no disk does."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []
        self.failed = False

    def write(self, blocks: Sequence[bytes]) -> int:
        if not self.failed:
            self.failed = True
            raise ValueError("odd")
        lines = [json.loads(line) for block in blocks for line in block.splitlines()]
        self.lines += lines
        return len(lines)

    def clean(self) -> None:
        """It holds a test's."""

    def close(self) -> None:
        """Nothing is open."""


def test_no_error_ends_it(caplog: pytest.LogCaptureFixture) -> None:
    sink, failed = Odd(), counted("failed")
    running = Audit(sink)
    running.start()
    leave(running, "lost")
    until(lambda: counted("failed") == failed + 1)
    leave(running, "kept")
    assert until(lambda: sink.lines)[0]["caller"] == "kept"
    running.stop()
    assert "lines of the audit are lost" in caplog.text


def test_a_name_that_is_no_unicode_costs_no_other_line(kept: tuple[Audit, Path]) -> None:
    running, folder = kept
    failed, asked = counted("failed"), [Asked(Caller(name, Usage("tokens"))) for name in ("a", "token:\ud800", "b")]
    running.add([(one, LABELS, "ok", 0.001, None) for one in asked])
    assert [line["caller"] for line in until(lambda: written(folder))] == ["a", "b"]
    until(lambda: counted("failed") == failed + 1)


def test_a_line_of_many_that_end_together_is_its_own(kept: tuple[Audit, Path]) -> None:
    running, folder = kept
    callers = [Caller(name, Usage(name)) for name in "ab"]
    other = ("v2", *LABELS[1:])
    ended: list[Ended] = [
        (Asked(callers[place % 2]), other if place % 3 else LABELS, "ok" if place % 5 else "failed", place / 1e3, None)
        for place in range(30)
    ]
    running.add(ended)
    lines = until(lambda: written(folder))
    assert [(line["caller"], line["transport"], line["outcome"], line["seconds"]) for line in lines] == [
        (asked.caller.id, labels[0], outcome, seconds) for asked, labels, outcome, seconds, _ in ended
    ]


def test_strangers_fill_no_disk(tmp_path: Path) -> None:
    """Of requests without a good key a bounded number has lines, however many come; the others are counted."""
    left_out, many = counted("left_out"), 5_000
    running = Audit(Files(tmp_path, file_megabytes=64, megabytes=200, days=1), guarded=True)
    for _ in range(many):
        running.add([(Asked(), LABELS, "unauthenticated", 0.0, None)])
        leave(running, "known")
    running.start()
    running.stop()
    lines = written(tmp_path)
    strangers = sum(line["event"] == "request" and not line["caller"] for line in lines)
    assert STRANGERS_A_SECOND <= strangers < many / 2
    assert sum(line["event"] == "request" and line["caller"] == "known" for line in lines) == many
    [rest] = [line for line in lines if line["event"] == LEFT_OUT]
    assert rest["requests"] == many - strangers
    assert counted("left_out") == left_out + rest["requests"]


def test_a_folder_that_cannot_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="BOXWOOD_AUDIT is"):
        audit.begun(Settings(audit=str(tmp_path / "file/audit")))
