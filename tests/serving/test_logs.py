"""The service's log: a line is one JSON document, whatever happened."""

import datetime
import json
import logging
import os
from collections.abc import Iterator

import pytest

from serving import logs


@pytest.fixture
def restored() -> Iterator[None]:
    """The tests' own logging comes back."""
    ours = logging.getLogger("boxwood")
    before = ours.handlers, ours.propagate
    yield
    ours.handlers, ours.propagate = before


@pytest.mark.usefixtures("restored")
def test_an_exception_is_a_field_of_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up()
    log = logging.getLogger("boxwood.http")
    try:
        raise ValueError("of two\nlines")
    except ValueError:
        log.exception("error", extra=logs.facts(logs.NOBODY, path="/x"))
    log.warning("slow", extra=logs.facts(logs.NOBODY, seconds=2))
    failed, slow = map(json.loads, capsys.readouterr().err.splitlines())
    assert (failed["event"], failed["path"]) == ("error", "/x")
    assert failed["traceback"].endswith("ValueError: of two\nlines")
    when = datetime.datetime.fromisoformat(slow.pop("time"))
    assert abs(datetime.datetime.now(datetime.UTC) - when) < datetime.timedelta(minutes=5)
    assert slow == {"severity": "WARNING", "process": os.getpid(), "event": "slow", "seconds": 2}
