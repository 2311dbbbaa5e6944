"""The service without its HTTP server: settings, models, all routes and gRPC; BentoML or a test adds the server."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from serving import challenger, journal, lifecycle
from serving.access import exposed
from serving.challenger import Shadows, Split
from serving.models import Models
from serving.rest import home, native, openapi, platforms, ui, v1, v2
from serving.rest.asgi import Document, Exposition, Front
from serving.rest.asking import Asking
from serving.rest.guard import Guard
from serving.settings import Settings
from serving.tracing import Tracing
from serving.watch import Watch
from validation.errors import SettingsError

_CORS_METHODS = ("GET", "HEAD", "POST")


class Application:
    """Answers for one or several models."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Read the settings; raises SettingsError."""
        self._environment = environment
        self.settings = Settings.from_environment(environment)
        self._tracing = Tracing(environment)
        self.models = Models(self.settings)
        self.guard = Guard(self.models.shared.access, self.settings, environment, lambda: self.models.names)
        self._stop_grpc: Callable[[], Awaitable[None]] | None = None

    def load(self, directory: Path, labels: Mapping[str, str]) -> None:
        """Serve the bundle in a directory; `labels` are what the model store says of it. Raises BundleError."""
        image = {"image": self.settings.image} if self.settings.image else {}
        self.models.add(directory, {**image, **labels})

    async def listen(self) -> None:
        """Begin access and the journal, and serve gRPC beside HTTP, as the settings say; exits where one cannot be."""
        try:
            challenger.demand(self.models)
            self.models.shared.access.start()
            self.models.shared.journal = journal.begun(self.settings, Shadows.of(self.models))
        except SettingsError as error:
            lifecycle.refuse(error)
        if self.settings.grpc_port:
            from serving.rpc import server as rpc  # not needed in the supervisor, which serves nothing

            try:
                self._stop_grpc = await rpc.start(self.models, self.settings, self._tracing)
            except Exception as error:  # noqa: BLE001 any such error would occur in the next worker too
                lifecycle.refuse(SettingsError(f"gRPC cannot be served: {error!r}."))
        exposed.say(self.settings, exposed.listening())
        lifecycle.live()

    async def finish(self) -> None:
        """Wait for the gRPC calls in flight, write the last rows and send the last spans; HTTP has stopped already.

        Each of these is done even if one before it fails.
        """
        shared = self.models.shared
        async with contextlib.AsyncExitStack() as last_first:
            last_first.callback(self._tracing.stop)
            last_first.push_async_callback(asyncio.to_thread, shared.access.stop)
            if shared.journal is not None:
                last_first.push_async_callback(asyncio.to_thread, shared.journal.stop)
            if self._stop_grpc is not None:
                last_first.push_async_callback(self._stop_grpc)

    def in_front_of(self, behind: ASGIApp, described: Callable[[], dict[str, Any]]) -> ASGIApp:
        """Our routes, in front of another application that answers all other paths.

        Args:
            behind: the other application.
            described: what its OpenAPI document says.
        """
        try:
            self._tracing.start()
        except SettingsError as error:
            lifecycle.refuse(error)
        unknown: dict[str, ASGIApp] = {"/v1/": v1.UnknownPath(self.models), "/v2/": v2.UnknownPath(self.models)}
        self._front = Front(behind, lambda: self._routes(described), unknown, self.guard)
        traced = self._tracing.traced(self._front)
        origins = [origin.strip() for origin in self.settings.cors_origins.split(",") if origin.strip()]
        return CORSMiddleware(traced, origins, allow_methods=_CORS_METHODS, allow_headers=["*"]) if origins else traced

    def direct(self, path: bytes) -> Asking[Any] | None:
        """The endpoint of a path that may answer or refuse without ASGI; where requests are traced, none may."""
        return None if self._tracing.on or not self.settings.direct else self._directly.get(path)

    @cached_property
    def _directly(self) -> dict[bytes, Asking[Any]]:
        routes = self._front.routes.items()
        return {path.encode(): asked for path, asked in routes if isinstance(asked, Asking)}

    def _routes(self, described: Callable[[], dict[str, Any]]) -> dict[str, ASGIApp]:
        models = self.models
        split, watch = Split.of(models, models.names[0]), Watch(self.settings.watch, models.names)
        return {
            native.PATH: native.served(models.default, split),
            **platforms.routes(models.default, self._environment, split),
            **home.routes(models, watch),
            ui.PATH: ui.ToPage(self.settings.ui),
            "/docs.json": Document(lambda: openapi.document(models, described())),
            "/metrics": Exposition(watch),
            **v1.routes(models, watch),
            **v2.routes(models),
        }
