"""A visitor without a browser, who speaks to a page as Gradio's own script does."""

import json
from pathlib import Path
from typing import Any

import httpx

_SESSION = "a-visitor"
_API = "/gradio_api"


def queued(client: httpx.Client, number: int, data: list[Any], query: Any = None) -> dict[str, Any]:
    """What a function of Gradio's puts out, asked through its queue by the function's number."""
    body = {"data": data, "fn_index": number, "session_hash": _SESSION}
    assert client.post(f"{_API}/queue/join", params=query, json=body).status_code == 200
    with client.stream("GET", f"{_API}/queue/data", params={"session_hash": _SESSION}) as messages:
        for line in messages.iter_lines():
            message = json.loads(line.removeprefix("data:") or "{}")
            if message.get("msg") == "process_completed":
                output: dict[str, Any] = message["output"]
                return output
    raise AssertionError("nothing was said")


class Script:
    """One visit of a page: what is on it, and what its events bring."""

    def __init__(self, client: httpx.Client, **query: str) -> None:
        """Open the page, with a query in its URL, and have the model's form made."""
        self._client, self._query = client, query
        config = self._document("/config")
        self._first = config["dependencies"]
        self._parts = {part["id"]: part for part in config["components"]}
        self.choosers = self._opened(self._targeted(self._first, "load"), None, None)

    def choose(self, model: str, version: str) -> None:
        """Choose a version of a model, as the radio buttons do, and have its form made."""
        self.choosers = self._opened(self._targeted(self._first, "input", "version-chooser"), model, version)

    def _opened(self, event: dict[str, Any], model: str | None, version: str | None) -> list[Any]:
        """Open a model; what the choosers of models and of versions then are."""
        brought = self._queued(event, [model, version])["data"]
        made = self._queued(self._targeted(self._first, "change"), [None])["render_config"]
        self._parts |= {part["id"]: part for part in made["components"]}
        self._events = made["dependencies"]
        self.failure = str(brought[3]["value"])
        return list(brought[1:3])

    def tell(self, label: str, event: str, **changes: Any) -> list[Any]:
        """What an event of the part with this label, text or id brings, or what follows it; `changes` by the parts'."""
        found = self._targeted(self._events, event, label)
        brought = self._brought(found, changes)
        then = [each for each in self._events if each["trigger_after"] == found["id"]]
        return self._brought(then[0], changes) if then else brought

    def _brought(self, event: dict[str, Any], changes: dict[str, Any]) -> list[Any]:
        data = [changes.get(self._name(part), self._parts[part]["props"].get("value")) for part in event["inputs"]]
        if event["queue"]:
            output = self._queued(event, data)
            assert "data" in output, output
            brought: list[Any] = output["data"]
        else:
            body = {"data": data, "fn_index": event["id"], "session_hash": _SESSION}
            answer = self._client.post(f"{_API}/run/predict", json=body)
            assert answer.status_code == 200, answer.text
            brought = answer.json()["data"]
        return brought

    def upload(self, path: Path) -> dict[str, Any]:
        """Upload a file; what a field for files then holds."""
        answer = self._client.post(f"{_API}/upload", files={"files": (path.name, path.read_bytes())})
        [there] = answer.json()
        return {"path": there, "orig_name": path.name, "meta": {"_type": "gradio.FileData"}}

    def download(self, file: dict[str, Any]) -> bytes:
        """The bytes of a file that an event brought."""
        answer = self._client.get(f"{_API}/file={file['path']}")
        assert answer.status_code == 200
        return answer.content

    def _name(self, part: int) -> str:
        props = self._parts.get(part, {}).get("props", {})
        return str(props.get("elem_id") or props.get("label") or props.get("value"))

    def _targeted(self, events: list[dict[str, Any]], event: str, label: str = "") -> dict[str, Any]:
        return next(
            each
            for each in events
            if any(name == event and (not label or self._name(part) == label) for part, name in each["targets"])
        )

    def _queued(self, event: dict[str, Any], data: list[Any]) -> dict[str, Any]:
        return queued(self._client, event["id"], data, self._query)

    def _document(self, path: str) -> dict[str, Any]:
        document: dict[str, Any] = self._client.get(path).json()
        return document
