"""What a server notes of requests: by which names the audit and the journal have them, and what they leave out."""

import json
from typing import Any

from tests.serving.access import made
from tests.serving.access.conftest import Guarded
from tests.serving.access.test_http import COUNTED, audited, until
from tests.serving.rest.test_http import PREDICT


def having(guarded: Guarded, ids: list[str]) -> list[dict[str, Any]]:
    """The lines of the audit with these ids of predictions, once all of them are there."""
    found = [line for line in audited(guarded) if {*line.get("prediction_ids", ())} & {*ids}]
    return found if len(found) == len(ids) else []


def journalled(guarded: Guarded, ids: list[str]) -> list[dict[str, Any]]:
    """What the journal has of these answers, once all of them are there."""
    files = (guarded.folder / "journal").glob("*.jsonl")
    lines = (json.loads(line) for file in files for line in file.read_bytes().splitlines())
    found = [line for line in lines if line["prediction_id"] in ids]
    return found if len(found) == len(ids) else []


def test_the_audit_has_the_request_id_that_comes_back(guarded: Guarded, row: dict[str, Any]) -> None:
    """One that is not well formed does neither."""
    headers = made.bearer(guarded.keys["all"])
    body = {"instances": [row]}
    kept, *odd = [
        guarded.client.post(PREDICT, json=body, headers={**headers, "x-request-id": name})
        for name in ("back-1", "back 2", "back-" + "3" * 130)
    ]
    assert kept.headers["x-request-id"] == "back-1"
    ids = [answer.json()["predictions"][0]["prediction_id"] for answer in (kept, *odd)]
    lines = until(lambda: having(guarded, ids))
    assert [line.get("request_id") for line in lines] == ["back-1", None, None]
    assert all("x-request-id" not in answer.headers for answer in odd)


def test_what_anybody_may_read_leaves_no_line(guarded: Guarded) -> None:
    for path in ("/static_content/home.js", "/livez", "/docs"):
        guarded.client.get(path, headers={"x-request-id": f"read{path.replace('/', '-')}"})

    def read() -> list[dict[str, Any]]:
        return [line for line in audited(guarded) if line.get("request_id", "").startswith("read-")]

    [line] = until(read)
    assert (line["caller"], line["transport"], line["outcome"]) == ("", "GET /docs", "unauthenticated")


def test_a_mark_leaves_rows_in_the_journal_and_the_audit(guarded: Guarded, row: dict[str, Any]) -> None:
    """Over one connection, which knows heads that were sent before."""
    key, marked = made.bearer(guarded.keys["all"]), {"x-boxwood-purpose": "exploring"}
    ids = []
    for more in (marked, {}, marked):
        answer = guarded.client.post(PREDICT, json={"instances": [row]}, headers=key | more)
        ids.append(answer.json()["predictions"][0]["prediction_id"])
    by_id = {line["prediction_id"]: line for line in until(lambda: journalled(guarded, ids))}
    assert [by_id[name].get("role", "") for name in ids] == ["exploring", "", "exploring"]
    assert {line["caller"] for line in by_id.values()} == {"all"}
    assert [line["rows"] for line in until(lambda: having(guarded, ids))] == [1, 1, 1]


def test_the_journal_and_the_metrics_know_the_caller(guarded: Guarded, row: dict[str, Any]) -> None:
    headers = made.bearer(guarded.keys["predicting"])
    answer = guarded.client.post(PREDICT, json={"instances": [row]}, headers=headers).json()
    [prediction] = answer["predictions"]

    [line] = until(lambda: journalled(guarded, [prediction["prediction_id"]]))
    assert line["caller"] == "predicting"

    def counted() -> bool:
        text = guarded.client.get("/metrics", headers=made.bearer(guarded.keys["all"])).text
        return all(line in text for line in COUNTED)

    until(counted)
