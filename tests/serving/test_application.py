"""The application without BentoML: what a server is put in front of, and what is behind it."""

import asyncio
from typing import Any

import httpx
import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from model.predictor import Predictor
from serving.application import Application
from tests.project import Project
from tests.serving.rest.test_http import PREDICT
from validation.errors import SettingsError


async def behind(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse(f"behind: {scope['path']}")(scope, receive, send)


def test_it_answers_without_bentoml(trained: Project, predictor: Predictor, row: dict[str, Any]) -> None:
    application = Application({"BOXWOOD_IMAGE": "boxwood@sha256:1", "BOXWOOD_GRPC_PORT": "0"})
    application.load(trained.folder / "data/flights/bundle", {"bento": "a:b"})

    async def ask() -> tuple[httpx.Response, ...]:
        await application.listen()
        served = httpx.ASGITransport(application.in_front_of(behind, lambda: {"paths": {}}))
        async with httpx.AsyncClient(transport=served, base_url="http://test") as client:
            predicted = await client.post(PREDICT, json={"instances": [row]})
            others = [await client.get(path) for path in ("/v1/models/flights", "/elsewhere")]
        await application.finish()
        return predicted, *others

    predicted, described, other = asyncio.run(ask())
    [expected] = predictor.predict([row]).predictions
    assert predicted.json()["predictions"][0]["prediction"] == expected.prediction
    lineage = described.json()["lineage"]
    assert (lineage["image"], lineage["bento"]) == ("boxwood@sha256:1", "a:b")
    assert other.text == "behind: /elsewhere"


def test_settings_that_are_none_are_refused_when_it_is_made() -> None:
    with pytest.raises(SettingsError, match="BOXWOOD_MAX_ROWS is '0'"):
        Application({"BOXWOOD_MAX_ROWS": "0"})
