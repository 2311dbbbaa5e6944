"""HTTP: BentoML's own API, as its clients speak it. It translates and decides nothing.

POST /predict    {"rows": [row, …]}; each row gets its prediction or its errors

BentoML's own body parser and queue are bypassed: they would parse a body twice, work on a thousand rows in one turn,
answer a multipart body without a boundary with 500, and report errors in pydantic's words.
"""

from typing import Any

import msgspec
from starlette.types import Scope

from serving.challenger import Split
from serving.rest.asking import Asking, Question
from serving.rest.exchange import Reply, encode
from serving.rest.request import parsed
from serving.served_model import ServedModel
from serving.verbs import Verb
from validation.wire import Predictions

PATH = "/predict"
_HINT = 'Send {"rows": [row, …]}, a row being an object of columns.'


class _Request(msgspec.Struct):
    """The body of a request, as service.py declares it for BentoML's clients."""

    rows: list[dict[str, Any]]


_decode = msgspec.json.Decoder(_Request).decode


def served(model: ServedModel, split: Split | None) -> "Native":
    """The application for a model, whose callers may be split."""
    own = Native(model, model.answering)
    return own if split is None else own.divided(split, _Challenged(split.challenger, split.predicting))


class Native(Asking[_Request]):
    """POST: rows in, an answer or errors for each of them out."""

    def __init__(self, model: ServedModel, verb: Verb) -> None:
        super().__init__("native", model, verb)

    def read(self, scope: Scope, body: bytes) -> _Request:
        """The rows of a body; raises UnreadableRequest."""
        return parsed(_decode, body, _HINT)

    def question(self, request: _Request) -> Question:
        """All of its rows, each by itself."""
        return Question(request.rows)


class _Challenged(Native):
    """The same of a challenger, which answers all rows or none: where it has an error, the champion answers."""

    def reply(self, request: _Request, answer: Predictions) -> Reply:
        """Each row's answer with the name of what answered."""
        name = {"model_name": answer.model_name, "model_version": answer.model_version}
        return Reply(encode([{**name, **msgspec.to_builtins(prediction)} for prediction in answer.predictions]))
