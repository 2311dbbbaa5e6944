"""What watching found is passed on as it is, and a damaged file is nobody's trouble."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from serving.settings import Settings
from serving.watch import Watch
from tests.project import Project
from tests.serving.test_journal import served
from validation.errors import SettingsError

PATH = "/v1/models/flights"
HEAD = {
    "status": "alarm",
    "sentence": "Half of the rows have a cabin that training did not see.",
    "made": "2026-11-30T05:28:03Z",
    "first": "2026-11-23",
    "last": "2026-11-29",
}
GAUGES = """\
# HELP boxwood_watch_rows Answers that the verdict is on
# TYPE boxwood_watch_rows gauge
boxwood_watch_rows{{model="{model}",version="v1"}} {rows}
# HELP boxwood_watch_column_psi Population stability index
# TYPE boxwood_watch_column_psi gauge
boxwood_watch_column_psi{{model="{model}",version="v1",column="a \\"b\\""}} 0.25
"""


def write(folder: Path, name: str, content: str | bytes) -> None:
    """A file, whole at once, as monitoring writes it."""
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{name}"
    temporary.write_bytes(content if isinstance(content, bytes) else content.encode())
    temporary.replace(folder / name)


def verdict(version: str, **more: Any) -> str:
    columns = [{"name": "cabin", "psi": 0.3}]
    return json.dumps({**HEAD, "model": "flights", "version": version, "columns": columns, **more})


@pytest.fixture
def bundle(trained: Project) -> Path:
    return trained.folder / "data/flights/bundle"


def test_a_verdict_is_passed_on(bundle: Path, narrower: Path, tmp_path: Path) -> None:
    async def question(client: httpx.AsyncClient) -> None:
        described = (await client.get(PATH)).json()
        first, second = described["versions"]
        assert "verdict" not in described
        missing = await client.get(f"{PATH}/watch")
        assert missing.status_code == 404
        assert missing.json()["detail"] == (
            "There is no verdict on 'flights' yet: `make drift PROBLEM=flights` makes one of the journal."
        )
        for rows in (5, 6):
            document = verdict(first, rows=rows)
            write(tmp_path / "flights", "verdict.json", document)
            answer = await client.get(f"{PATH}/watch")
            assert answer.headers["content-type"] == "application/json"
            assert answer.text == document
            assert (await client.get(PATH)).json()["verdict"] == {**HEAD, "version": first}
        assert (await client.get(f"{PATH}/versions/{first}/watch")).text == document
        assert (await client.get(f"{PATH}/versions/{second}/watch")).status_code == 404
        assert "verdict" not in (await client.get(f"{PATH}/versions/{second}")).json()
        (tmp_path / "flights/verdict.json").unlink()
        assert (await client.get(f"{PATH}/watch")).status_code == 404

    served([bundle, narrower], question, BOXWOOD_WATCH=str(tmp_path))


DAMAGED = [b"", b"{", b"[]", b"null", b"\xff", b'{"status": "ok"}', verdict("v1").encode()[:-2], b'{"made": NaN}']


def test_a_damaged_verdict_is_none(bundle: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def question(client: httpx.AsyncClient) -> None:
        for place, damaged in enumerate(DAMAGED, 1):
            write(tmp_path / "flights", "verdict.json", damaged)
            for _ in range(2):
                assert (await client.get(f"{PATH}/watch")).status_code == 404
                described = await client.get(PATH)
                assert (described.status_code, "verdict" in described.json()) == (200, False)
            assert caplog.text.count("verdict.json is damaged and left out") == place, "once for each"
        write(tmp_path / "flights", "verdict.json", verdict("v2"))
        assert (await client.get(PATH)).json()["verdict"]["version"] == "v2"

    served([bundle], question, BOXWOOD_WATCH=str(tmp_path))


def test_a_file_that_cannot_be_read_is_none(bundle: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("verdict.json", "metrics.prom"):
        (tmp_path / "flights" / name).mkdir(parents=True)

    async def question(client: httpx.AsyncClient) -> None:
        assert (await client.get(f"{PATH}/watch")).status_code == 404
        assert (await client.get("/metrics")).status_code == 200

    served([bundle], question, BOXWOOD_WATCH=str(tmp_path))
    assert "verdict.json cannot be read" in caplog.text
    assert "metrics.prom cannot be read" in caplog.text


def test_a_folder_that_hangs_holds_up_nothing_and_what_was_read_last_is_passed_on(
    bundle: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "flights"

    async def question(client: httpx.AsyncClient) -> None:
        write(folder, "verdict.json", verdict("v1"))
        write(folder, "metrics.prom", GAUGES.format(model="flights", rows=5))
        assert (await client.get(PATH)).json()["verdict"]["version"] == "v1"
        assert "boxwood_watch_rows" in (await client.get("/metrics")).text
        for name in ("verdict.json", "metrics.prom"):
            (folder / name).unlink()
            os.mkfifo(folder / name)  # whoever opens it waits for a writer
        described = await asyncio.gather(*(client.get(PATH) for _ in range(60)))
        assert {answer.json()["verdict"]["version"] for answer in described} == {"v1"}
        assert "boxwood_watch_rows" in (await client.get("/metrics")).text
        assert await asyncio.to_thread(lambda: "free") == "free"
        for name in ("verdict.json", "metrics.prom"):
            (folder / name).rename(tmp_path / name)
        write(folder, "verdict.json", verdict("v2"))
        for name in ("verdict.json", "metrics.prom"):
            (tmp_path / name).write_bytes(b"")  # and now they go on
        while (await client.get(PATH)).json().get("verdict", {}).get("version") != "v2":
            pass

    served([bundle], question, BOXWOOD_WATCH=str(tmp_path), BOXWOOD_JOURNAL=str(tmp_path / "journal"))
    assert caplog.text.count("verdict.json takes long to be read") == 1


def test_without_a_store_a_sentence_says_what_to_do(bundle: Path) -> None:
    async def question(client: httpx.AsyncClient) -> None:
        answer = await client.get(f"{PATH}/watch")
        assert answer.status_code == 404
        assert "start the service with BOXWOOD_WATCH" in answer.json()["detail"]
        assert "boxwood_watch" not in (await client.get("/metrics")).text

    served([bundle], question)


def families(text: str) -> dict[str, list[tuple[dict[str, str], float]]]:
    """The samples of each family of watching; fails for an exposition that has a family twice."""
    found = list(text_string_to_metric_families(text))
    names = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(set(names)) == len(names)
    return {
        family.name: [(sample.labels, sample.value) for sample in family.samples]
        for family in found
        if family.name.startswith("boxwood_watch_")
    }


def exposed(folder: Path) -> str:
    """What two models that are served have in `/metrics` of their verdicts."""
    return asyncio.run(Watch(str(folder), ["flights", "churn"]).exposition()).decode()


def test_two_models_share_families(tmp_path: Path) -> None:
    for rows, model in enumerate(("flights", "churn"), 5):
        write(tmp_path / model, "metrics.prom", GAUGES.format(model=model, rows=rows))
    found = families(exposed(tmp_path))
    assert {labels["model"]: value for labels, value in found["boxwood_watch_rows"]} == {"flights": 5, "churn": 6}
    assert len(found["boxwood_watch_column_psi"]) == 2
    write(tmp_path / "churn", "metrics.prom", "{")
    assert len(families(exposed(tmp_path))["boxwood_watch_rows"]) == 1, "the other model's are still there"


@given(place=st.integers(0, 400), cut=st.text(max_size=20), length=st.integers(0, 40))
def test_whatever_is_in_the_file_the_exposition_is_whole(tmp_path: Path, place: int, cut: str, length: int) -> None:
    text = GAUGES.format(model="flights", rows=5)
    write(tmp_path / "flights", "metrics.prom", text[:place] + cut + text[place + length :])
    found = families(exposed(tmp_path))
    assert all(labels["model"] == "flights" for of in found.values() for labels, _ in of)


def test_metrics_of_all_models_are_one_exposition(bundle: Path, tmp_path: Path) -> None:
    async def question(client: httpx.AsyncClient) -> None:
        write(tmp_path / "flights", "metrics.prom", GAUGES.format(model="flights", rows=5))
        write(tmp_path / "other", "metrics.prom", GAUGES.format(model="other", rows=9))  # a model that is not here
        text = (await client.get("/metrics")).text
        assert "boxwood_requests" in text
        found = families(text)
        assert found["boxwood_watch_rows"] == [({"model": "flights", "version": "v1"}, 5.0)]
        [(labels, value)] = found["boxwood_watch_column_psi"]
        assert (labels["column"], value) == ('a "b"', 0.25)
        both = GAUGES.format(model="flights", rows=6) + 'boxwood_watch_column_psi{model="churn",column="x"} 1\n'
        write(tmp_path / "flights", "metrics.prom", both)
        found = families((await client.get("/metrics")).text)
        assert found["boxwood_watch_rows"][0][1] == 6.0
        assert {labels["model"] for labels, _ in found["boxwood_watch_column_psi"]} == {"flights"}

    served([bundle], question, BOXWOOD_WATCH=str(tmp_path))


BROKEN = [
    "boxwood_watch_rows{model=",
    'boxwood_watch_rows{model="flights"} five\n',
    '# TYPE boxwood_requests counter\nboxwood_requests_total{model="flights"} 1\n',
    '# TYPE boxwood_watch_rows counter\nboxwood_watch_rows_total{model="flights"} 1\n',
    "# TYPE boxwood_watch_rows nonsense\n",
    "# TYPE up gauge\n",
    GAUGES.format(model="flights", rows=1) * 2,
    b"\xff",
]


@pytest.mark.parametrize("broken", BROKEN)
def test_damaged_metrics_are_left_out(bundle: Path, tmp_path: Path, broken: str | bytes) -> None:
    async def question(client: httpx.AsyncClient) -> None:
        write(tmp_path / "flights", "metrics.prom", broken)
        answer = await client.get("/metrics")
        assert answer.status_code == 200
        assert families(answer.text) == {}
        assert "boxwood_requests" in answer.text

    served([bundle], question, BOXWOOD_WATCH=str(tmp_path))


def test_a_service_reads_verdicts_from_a_folder() -> None:
    with pytest.raises(SettingsError, match="'s3://bucket/watch'; the service reads verdicts from a folder"):
        Settings.from_environment({"BOXWOOD_WATCH": "s3://bucket/watch"})
