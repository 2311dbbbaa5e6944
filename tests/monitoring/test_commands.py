"""The commands as people type them: what is mistyped is said, and looks like nothing else."""

import datetime
from pathlib import Path

import pytest

from monitoring.__main__ import main


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOXWOOD_WATCH", str(tmp_path / "watch"))
    monkeypatch.setenv("BOXWOOD_JOURNAL", str(tmp_path / "journal"))


@pytest.mark.parametrize("model", ["flightz", "FLIGHTS", "flights@champion", "", "../escape"])
@pytest.mark.parametrize("command", ["drift", "outcomes", "compare", "retrain", "runs"])
def test_a_name_that_is_no_problem_is_refused(
    command: str, model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = ["table.csv"] if command == "outcomes" else []
    assert main([command, model, *table]) == 1
    assert f"There is no problem {model!r}" in capsys.readouterr().err
    assert list(tmp_path.rglob("*")) == []


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--until", f"{datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=2)}"], "still to come"),
        (["--until", "tomorrow"], "no date like"),
        (["--days", "0"], "from one day to 366"),
        (["--days", "1000000"], "from one day to 366"),
    ],
)
def test_days_that_there_are_not_are_refused(
    options: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["drift", "flights", *options]) == 1
    assert reason in capsys.readouterr().err


def test_a_journal_that_is_not_there_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compact", "--journal", str(tmp_path / "jurnal")]) == 1
    assert "There is no journal at" in capsys.readouterr().err
    assert main(["compact"]) == 0  # nothing was answered yet
