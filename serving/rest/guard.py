"""Who may pass to which route over HTTP: everything needs a known caller but the probes, and what the settings open."""

import asyncio
import os
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from starlette.types import Scope

from serving.access.access import Access, demand_one
from serving.access.caller import Asked, Caller, Ended
from serving.rest.request import headers
from serving.settings import DOCS, METRICS, Settings
from serving.telemetry import Measurement
from validation.errors import Forbidden, QuotaExceeded, RequestError, Unauthenticated

_ASKED, _KNOWN = "boxwood.asked", "boxwood.known"
_PROBES = frozenset({"/livez", "/readyz", "/healthz", "/ping", "/v2/health/live", "/v2/health/ready"})
_OPENED: Mapping[str, tuple[str, ...]] = {METRICS: ("/metrics",), DOCS: ("/", "/docs", "/docs.json", "/ui")}
_OF_ALL = frozenset({"/", "/docs.json", "/schema.json", "/metrics"})
"""What speaks of all models and, the metrics, of all callers."""
STATIC = "/static_content/"
"""The scripts and styles of pages; they are the same everywhere, and no secret."""
_OF_MODEL = re.compile(r"/v[12]/models/([^/:]+)")
REFUSALS = (Unauthenticated, Forbidden, QuotaExceeded)
"""What callers get where they have to be known; only rows count against a quota."""
_SCHEMES = {
    "key": {"type": "http", "scheme": "bearer", "description": "An API key, or an identity token"},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "An API key"},
}
_NO_LABELS = ("", "", "")


def opened(settings: Settings) -> set[str]:
    """The paths that anybody may ask."""
    return {*_PROBES, *(path for name in settings.open_routes.split(",") if name for path in _OPENED[name])}


class Guard:
    """Lets requests in, and notes how they end."""

    def __init__(
        self,
        access: Access,
        settings: Settings,
        environment: Mapping[str, str] = os.environ,
        models: Callable[[], Iterable[str]] = tuple,
    ) -> None:
        """Guard what the settings do not open.

        Args:
            access: knows callers.
            settings: open routes.
            environment: may name a probe of its platform (Vertex AI).
            models: the names of those that are served, once they are loaded.
        """
        self._access, self._models = access, models
        self._open = {*opened(settings), environment.get("AIP_HEALTH_ROUTE", "/livez")}
        self.on = access.noting
        self._ended: list[tuple[Scope, Asked]] = []

    def admitted(self, scope: Scope, path: str) -> Asked | None:
        """The request with its caller, or with why it is refused; it is in the scope too.

        None for who brings an identity token that was not seen before: `identified` verifies it.
        """
        known: tuple[object, Caller] | None = scope.get(_KNOWN)
        if known is not None and self._access.still_knows(*known):
            again = scope[_ASKED] = Asked(known[1])
            return again
        asked = scope[_ASKED] = Asked()
        if not self._access.on or self._free(path):
            return asked
        try:
            by_name = headers(scope)
            if len(by_name) < len(scope["headers"]):
                demand_one(name for name, _ in scope["headers"])
            keys = self._access.keys  # before the caller is looked up: another thread may replace them
            caller = self._access.caller(by_name)
            if caller is None:
                return None
            self._let_in(asked, caller, path)
            scope[_KNOWN] = keys, caller  # a connection has one scope for all requests with the same head
        except RequestError as error:
            asked.refusal = error
        return asked

    def _free(self, path: str) -> bool:
        """Whether anybody may ask a path that is no question; the audit has no line of it."""
        return path in self._open or path.startswith(STATIC)

    async def identified(self, scope: Scope, path: str) -> Asked:
        """The same for everybody."""
        asked: Asked = scope[_ASKED]
        try:
            self._let_in(asked, await self._access.identified(headers(scope)), path)
        except RequestError as error:
            asked.refusal = error
        return asked

    def _let_in(self, asked: Asked, caller: Caller, path: str) -> None:
        asked.caller = caller
        if not caller.limited:
            return
        if match := _OF_MODEL.match(path):
            caller.demand(match[1])
        elif path in _OF_ALL:
            for model in self._models():
                caller.demand(model)

    def ended(self, scope: Scope, asked: Asked) -> None:
        """Note how a request ended; together with all that end in this turn of the event loop, once it is over."""
        if asked.ended is None:
            return
        if not self._ended:
            asyncio.get_running_loop().call_soon(self._note)
        self._ended.append((scope, asked))

    def _note(self) -> None:
        ended, self._ended = self._ended, []
        noted: list[Ended] = []
        for scope, asked in ended:
            measured: Measurement = asked.ended
            if measured.metrics is not None:
                labels = measured.metrics.labels
            elif not self._free(scope["path"]):
                labels = f"{scope['method']} {scope['path'][:200]}", *_NO_LABELS
            else:
                continue
            noted.append((asked, labels, measured.outcome, measured.seconds, asked.request))
        self._access.ended(noted)


def described(document: dict[str, Any], settings: Settings, content: dict[str, Any]) -> dict[str, Any]:
    """An OpenAPI document that says which operations need a key, where some do; errors have a `content`."""
    if not settings.guarded:
        return document
    document["components"]["securitySchemes"] = _SCHEMES
    document["security"] = [{name: []} for name in _SCHEMES]
    open_paths = opened(settings)
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if path in open_paths:
                operation["security"] = []
                continue
            for error in REFUSALS if method == "post" else REFUSALS[:2]:
                response = {"description": error.title, "content": content}
                operation["responses"].setdefault(str(int(error.status)), response)
    return document


NO_GUARD = Guard(Access(Settings()), Settings(), {})
"""Lets everybody in."""


def asked(scope: Scope) -> Asked:
    """The request that a guard let in or refused; where there is no guard, anybody may ask."""
    found: Asked | None = scope.get(_ASKED)
    return Asked() if found is None else found
