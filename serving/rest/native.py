"""HTTP: BentoML's own API, as its clients speak it. It translates and decides nothing.

POST /predict    {"rows": [row, …]}; each row gets its prediction or its errors

BentoML's reading of bodies and its queue are passed by: it would parse a body twice, work on a thousand rows in one
turn, answer a multipart body without a boundary with 500, and say errors in pydantic's words.
"""

from typing import Any

import msgspec
from starlette.types import Receive, Scope

from serving.admission import demand_fits
from serving.rest.asgi import Endpoint, Reply, cancellable, encode
from serving.rest.request import demand_json, parsed, read_body
from serving.served_model import ServedModel
from serving.settings import Settings

PATH = "/predict"
_HINT = 'Send {"rows": [row, …]}, a row being an object of columns.'


class _Request(msgspec.Struct):
    """What is asked, as service.py declares it for BentoML's clients."""

    rows: list[dict[str, Any]]


_decode = msgspec.json.Decoder(_Request).decode


class Native(Endpoint):
    """POST: rows in, an answer or errors for each of them out."""

    methods = ("POST",)

    def __init__(self, settings: Settings, model: ServedModel) -> None:
        self.calls = model.calls("native", "predict")
        self._model = model
        self._settings = settings

    async def answer(self, scope: Scope, receive: Receive) -> Reply:
        """The answers; raises RequestError."""
        demand_json(scope)
        verb = self._model.predicting
        verb.gate.demand_room()
        rows = parsed(_decode, await read_body(scope, receive, self._model.bodies), _HINT).rows
        demand_fits(len(rows), self._settings.max_rows)
        return Reply(encode(await cancellable(self._model.answer_each(rows), len(rows), verb, receive)))
