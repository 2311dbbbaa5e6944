"""The command: from journal files to the verdict, its page and its metrics, run after run."""

import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from monitoring import published
from monitoring.__main__ import main
from monitoring.store import Store
from monitoring.truth import Identity, write
from monitoring.verdict import Verdict
from tests.monitoring import kept, made

MODEL = made.model()
NAME, VERSION = MODEL.watched.model, MODEL.watched.version


@pytest.fixture
def here(folder: Path) -> Path:
    """A project whose watch store has reference rows of the model."""
    Store(NAME).write_bytes(f"reference/{VERSION}.parquet", kept.reference(MODEL))
    return folder


def answered(here: Path, back: int, count: int = 600, **changed: Any) -> dict[str, object]:
    date = kept.LAST - datetime.timedelta(back)
    return kept.journal(here / "stores/journal", MODEL.watched, date, kept.day(back, count, **changed))


def labelled(truth: Mapping[str, object], name: str = "a") -> None:
    write(Store(NAME), name, {Identity(prediction_id): value for prediction_id, value in truth.items()})


def verdict() -> Verdict:
    content = Store(NAME).read("verdict.json")
    assert content is not None
    return msgspec.json.decode(content, type=Verdict)


def test_a_day_as_before_exits_with_0_and_leaves_three_files(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labelled(answered(here, back=0, count=2_000))
    assert main(["drift", NAME]) == 0
    found = verdict()
    assert (found.status, found.rows, found.first, found.last) == ("ok", 2_000, "2024-12-28", "2024-12-28")
    assert found.performance[0].labelled == found.coverage.rows == 2_000  # type: ignore[union-attr]
    assert found.sentence in capsys.readouterr().out
    folder = here / "stores/watch" / NAME
    assert found.sentence.split(":")[0] in (folder / "report.html").read_text()
    families = {family.name for family in text_string_to_metric_families((folder / "metrics.prom").read_text())}
    assert {"boxwood_watch_status", "boxwood_watch_column_psi", "boxwood_watch_performance"} <= families


def test_an_alarm_exits_with_3_and_tells_since_when(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for back in (3, 2):
        answered(here, back, count=2_000, town="Zug" if back == 2 else "Bern")
    assert main(["drift", NAME, "--until", "2024-12-26", "--days", "1"]) == 3
    assert "harmful: town: 100.0%" in capsys.readouterr().out
    answered(here, back=1, town="Zug")
    assert main(["drift", NAME, "--days", "1"]) == 3
    [finding] = [finding for finding in verdict().findings if finding.kind == "new_names"]
    assert (finding.since, finding.harmful) == ("2024-12-26", True)
    assert "misspelt" in finding.advice


def test_rows_that_callers_marked_are_told_and_count_for_nothing(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    explored = kept.day(0, 900, town="Zug")
    kept.journal(here / "stores/journal", MODEL.watched, kept.LAST, explored, role="exploring")
    assert main(["drift", NAME]) == 4
    told = capsys.readouterr().out
    assert "there are no answers to cases in the watch store" in told
    assert f"900 of 900 answers of {kept.LAST} were marked as exploring" in told
    answered(here, back=1)
    assert main(["drift", NAME]) == 0
    assert "900 of 1,500 answers were marked as exploring by their callers, and are left out." in verdict().sentence
    assert verdict().sentence in capsys.readouterr().out
    assert main(["drift", NAME, "--days", "1"]) == 4
    assert "900 of 900 answers were marked" in verdict().sentence
    labelled(answered(here, back=0, count=2_000))
    assert main(["drift", NAME, "--days", "1"]) == 0
    found = verdict()
    assert "marked" not in found.sentence
    assert (found.status, found.rows, found.answered, found.exploring) == ("ok", 2_000, 2_000, 900)
    assert found.days[-1].rows == 2_000
    assert found.rivals == []
    told = "2,000 rows, without 900 marked as exploring"
    assert told in capsys.readouterr().out
    folder = here / "stores/watch" / NAME
    assert told in (folder / "report.html").read_text()
    assert "boxwood_watch_exploring_rows{" in (folder / "metrics.prom").read_text()


def test_too_few_rows_exit_with_4_and_days_before_are_added_up_to_a_week(here: Path) -> None:
    for back in range(3):
        answered(here, back, count=200)
    assert main(["drift", NAME, "--days", "1"]) == 4
    assert verdict().status == "too_few_rows"
    assert main(["drift", NAME]) == 0
    assert (verdict().first, verdict().rows) == ("2024-12-26", 600)


def test_answers_of_a_clock_that_is_years_ahead_are_left_out_and_told(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answered(here, back=0)
    tomorrow = datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=1)
    ahead = tomorrow + datetime.timedelta(days=2_000)
    kept.journal(here / "stores/journal", MODEL.watched, ahead, kept.day(0, 1))
    assert main(["drift", NAME]) == 0
    assert verdict().last == kept.LAST.isoformat()
    assert f"answers of 1 day yet to come, from {ahead} on, are left out" in capsys.readouterr().out
    kept.journal(here / "stores/journal", MODEL.watched, tomorrow, kept.day(0, 700))
    assert main(["drift", NAME]) == 0
    assert (verdict().last, verdict().rows) == (tomorrow.isoformat(), 700)


def test_no_answers_at_all_exit_with_4(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["drift", NAME]) == 4
    assert "no answers" in capsys.readouterr().out
    assert Store(NAME).read("verdict.json") is None


def test_days_are_kept_and_judged_again_once_labels_come(here: Path) -> None:
    truth = [answered(here, back) for back in (2, 1, 0)]
    main(["drift", NAME, "--days", "1"])
    before = verdict().days
    assert [day.day for day in before] == ["2024-12-26", "2024-12-27", "2024-12-28"]
    assert {day.labelled for day in before} == {0}
    labelled(truth[0])
    main(["drift", NAME, "--days", "1"])
    first, *others = verdict().days
    assert first.labelled == 600
    assert first.true is not None
    assert others == before[1:]


def test_the_same_run_twice_gives_the_same_verdict(here: Path) -> None:
    answered(here, back=0, town="Zug")
    answered(here, back=1)
    documents = []
    for _ in range(2):
        main(["drift", NAME])
        documents.append(msgspec.structs.replace(verdict(), made=""))
    assert documents[0] == documents[1]


def test_a_version_is_judged_by_its_own_rows(here: Path) -> None:
    answered(here, back=1, town="Zug")
    newer = msgspec.structs.replace(MODEL.watched, version="fedcba9876543210")
    Store(NAME).write_bytes(f"reference/{newer.version}.parquet", kept.reference(MODEL._replace(watched=newer)))
    kept.journal(here / "stores/journal", newer, kept.LAST, kept.day(0, 900))
    assert main(["drift", NAME, "--days", "2"]) == 0
    found = verdict()
    assert (found.version, found.rows) == (newer.version, 900)
    assert [(day.status, list(day.versions)) for day in found.days] == [("alarm", [VERSION]), ("ok", [newer.version])]


def test_of_many_rows_an_even_sample_is_judged_and_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = yaml.safe_load((here / "params.yaml").read_text())
    document["defaults"]["monitor"]["most_rows"] = 1_000
    (here / "params.yaml").write_text(yaml.safe_dump(document))
    truth = [answered(here, back, count) for back, count in ((1, 3_000), (0, 1_000))]
    labelled(truth[0])
    found = []
    for _ in range(2):
        assert main(["drift", NAME, "--days", "2"]) == 0
        found.append(msgspec.structs.replace(verdict(), made=""))
    assert found[0] == found[1]
    assert found[0].answered == 4_000
    assert found[0].rows == pytest.approx(1_000, abs=140)
    assert found[0].performance[0].labelled == pytest.approx(750, abs=100)  # as many of each day as it has
    assert [(day.rows, day.labelled) for day in found[0].days] == [(3_000, 3_000), (1_000, 0)]
    told = f"{found[0].rows:,} of 4,000 rows"
    assert told in capsys.readouterr().out
    assert told in (here / "stores/watch" / NAME / "report.html").read_text()


def test_a_few_answers_of_another_version_make_nobody_blind(here: Path) -> None:
    answered(here, back=0)
    other = msgspec.structs.replace(MODEL.watched, version="fedcba9876543210")  # which has no reference rows here
    kept.journal(here / "stores/journal", other, kept.LAST, kept.day(0, 30))
    kept.journal(here / "stores/journal", other, kept.LAST + datetime.timedelta(1), kept.day(-1, 1))
    for asked in ([], ["--until", kept.LAST.isoformat(), "--days", "1"]):
        assert main(["drift", NAME, *asked]) == 0
        assert (verdict().version, verdict().rows) == (VERSION, 600)


def test_a_version_that_has_replaced_another_is_judged_from_when_it_has_enough_rows(here: Path) -> None:
    newer = msgspec.structs.replace(MODEL.watched, version="fedcba9876543210")
    Store(NAME).write_bytes(f"reference/{newer.version}.parquet", kept.reference(MODEL._replace(watched=newer)))
    answered(here, back=2, count=3_000)
    found = []
    for back in (1, 0):
        kept.journal(here / "stores/journal", newer, kept.LAST - datetime.timedelta(back), kept.day(back, 400))
        assert main(["drift", NAME]) == 0
        found.append((verdict().version, verdict().rows, verdict().first))
    assert found == [(VERSION, 3_000, "2024-12-26"), (newer.version, 800, "2024-12-27")]


def test_a_verdict_that_cannot_be_read_is_made_anew(here: Path) -> None:
    answered(here, back=0)
    Store(NAME).write_bytes("verdict.json", b'{"of": "another time"}')
    assert main(["drift", NAME]) == 0
    assert published.previous(Store(NAME)) == verdict()


def test_what_is_asked_wrongly_is_said(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for asked, said in ((["--until", "tomorrow"], "'tomorrow' is no date"), (["--days", "0"], "from one day to 366")):
        assert main(["drift", NAME, *asked]) == 1
        assert said in capsys.readouterr().err


def test_reference_rows_of_the_last_training_are_kept(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store, left = Store(NAME), here / "data" / NAME / "reference.parquet"
    store.remove(f"reference/{VERSION}.parquet")
    answered(here, back=0)
    assert main(["compact"]) == 0
    assert main(["drift", NAME]) == 1
    assert f"no reference rows of '{NAME}' {VERSION}" in capsys.readouterr().err
    left.parent.mkdir(parents=True)
    left.write_bytes(kept.reference(MODEL._replace(watched=msgspec.structs.replace(MODEL.watched, version="other"))))
    assert main(["drift", NAME]) == 1
    assert "is of version other" in capsys.readouterr().err
    left.write_bytes(kept.reference(MODEL))
    assert main(["drift", NAME]) == 0
    left.unlink()
    assert main(["drift", NAME]) == 0


@pytest.mark.parametrize("content", [b"", b"PAR1", b"no table at all"])
def test_reference_rows_that_cannot_be_read_are_named(
    here: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    Store(NAME).write_bytes(f"reference/{VERSION}.parquet", content)
    answered(here, back=0)
    assert main(["drift", NAME]) == 1
    assert f"reference/{VERSION}.parquet" in capsys.readouterr().err
