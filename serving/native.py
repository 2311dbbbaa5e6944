"""BentoML's own API behind our reading: what it gets is rows, and its errors are problem details.

Left alone it answers a multipart body without a boundary with 500, others in pydantic's words, and logs a traceback for
each.
"""

from collections.abc import MutableMapping
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, ValidationError
from starlette.types import ASGIApp, Receive, Scope

from serving.admission import demand_fits
from serving.asgi import Endpoint, Reply
from serving.request import demand_json, read_body, without_mark
from serving.served_model import ServedModel
from serving.settings import Settings
from validation.errors import Overloaded, UnreadableRequest

PATH = "/predict"
_OURS = (b"content-type", b"content-length", b"content-encoding")


class _Request(BaseModel):
    rows: list[dict[str, Any]]  # as service.py declares them: pydantic reads both, so what passes here passes there


class Native(Endpoint):
    """POST: rows in, an answer or errors for each of them out."""

    methods = ("POST",)

    def __init__(self, behind: ASGIApp, settings: Settings, model: ServedModel) -> None:
        """Stand before `behind`, BentoML's application, which answers for `model`."""
        self.calls = model.calls("native", "predict")
        self._gate = model.predicting.gate
        self._behind = behind
        self._settings = settings

    async def answer(self, scope: Scope, receive: Receive) -> Reply:
        """BentoML's answer; raises RequestError for what is no rows."""
        demand_json(scope)
        self._gate.demand_room()
        body = bytes(without_mark(await read_body(scope, receive, self._settings.max_body_bytes)))
        demand_fits(_count(body), self._settings.max_rows)
        reply = await self._asked(scope, receive, body)
        if reply.status == HTTPStatus.SERVICE_UNAVAILABLE:
            raise Overloaded("BentoML has more rows waiting than it takes. Send the request again in a second or two.")
        if reply.status >= HTTPStatus.BAD_REQUEST:
            raise RuntimeError(f"BentoML answered {reply.status} to what it should answer: {reply.body!r:.200}")
        return reply

    async def _asked(self, scope: Scope, receive: Receive, body: bytes) -> Reply:
        """What BentoML answers to a body that was read already."""
        unread = [{"type": "http.request", "body": body}]
        answered: list[MutableMapping[str, Any]] = []

        async def again() -> MutableMapping[str, Any]:
            return unread.pop() if unread else await receive()

        async def keep(message: MutableMapping[str, Any]) -> None:
            answered.append(message)

        headers = [(name, value) for name, value in scope["headers"] if name not in _OURS]
        await self._behind({**scope, "headers": [*headers, (b"content-type", b"application/json")]}, again, keep)
        start, *parts = answered
        headers = [(name, value) for name, value in start["headers"] if name not in _OURS]
        return Reply(b"".join(part.get("body", b"") for part in parts), status=start["status"], headers=headers)


def _count(body: bytes) -> int:
    """How many rows there are."""
    try:
        return len(_Request.model_validate_json(body).rows)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(part)[:64] for part in first["loc"])
        detail = (
            f'{first["msg"]}{place and f" at {place}"}. Send {{"rows": [row, …]}}, a row being an object of columns.'
        )
        raise UnreadableRequest(detail) from error
