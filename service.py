"""The composition root: the one BentoML service, wired from the models, the settings and the transports."""

import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

import bentoml
from bentoml.models import BentoModel
from pydantic import BaseModel, Field
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from serving import lifecycle, logs, pins
from serving.models import Models
from serving.rest import connection, native, openapi, platforms, ui, v1, v2
from serving.rest.asgi import Document, Exposition, Front, Page
from serving.settings import Settings
from serving.tracing import Tracing
from validation.errors import BoxwoodError, SettingsError


class Arguments(BaseModel):
    """`bentoml build --arg models=flights:…,churn:…`; without it, every packaged model."""

    models: str = ""


try:
    SETTINGS = Settings.from_environment(os.environ)
    TRACING = Tracing(os.environ)
    TAGS = pins.tags(bentoml.use_arguments(Arguments).models, Path(__file__).parent)
except BoxwoodError as error:
    sys.exit(f"Not starting: {error}")

MODELS = Models(SETTINGS)
RUNS_AS = {"image": SETTINGS.image} if SETTINGS.image else {}
STORED = {tag.split(":")[0]: BentoModel(tag) for tag in TAGS}


class Service:
    """Answers for one or several models."""

    def __init__(self) -> None:
        lifecycle.join()
        try:
            bento = f"{bentoml.server_context.bento_name}:{bentoml.server_context.bento_version}"
            for model in STORED.values():
                stored = model.resolve()
                MODELS.add(Path(stored.path), {**RUNS_AS, "bento": bento, **stored.info.labels})
        except BoxwoodError as error:
            lifecycle.refuse(error)
        logs.set_up()
        self._stop_grpc: Callable[[], Awaitable[None]] | None = None
        lifecycle.freeze_heap()

    @bentoml.on_deployment  # type: ignore[untyped-decorator]
    @staticmethod
    def audit() -> None:
        """Refuse a bundle before the port opens."""
        lifecycle.audit((Path(model.resolve().path) for model in STORED.values()), SETTINGS)

    @bentoml.on_deployment  # type: ignore[untyped-decorator]
    @staticmethod
    def supervise() -> None:
        """Watch over the workers; BentoML calls its hooks in the order of their names."""
        lifecycle.supervise(SETTINGS)

    @bentoml.on_startup  # type: ignore[untyped-decorator]
    async def listen(self) -> None:
        """Serve gRPC beside HTTP."""
        if SETTINGS.grpc_port:
            from serving.rpc import server as rpc  # the supervisor serves nothing and need not load it

            try:
                self._stop_grpc = await rpc.start(MODELS, SETTINGS, TRACING)
            except Exception as error:  # noqa: BLE001 whatever it is, it would be there again in the next worker
                lifecycle.refuse(SettingsError(f"gRPC cannot be served: {error!r}."))
        lifecycle.live()

    @bentoml.on_shutdown  # type: ignore[untyped-decorator]
    async def finish(self) -> None:
        """Let what is in flight over gRPC end, and send the last spans; HTTP has ended already."""
        if self._stop_grpc is not None:
            await self._stop_grpc()
        TRACING.stop()

    async def __is_ready__(self) -> bool:
        return True

    @bentoml.api(batchable=True, max_batch_size=1000)  # type: ignore[untyped-decorator]
    async def predict(
        self, rows: Annotated[list[dict[str, Any]], Field(max_length=SETTINGS.max_rows)]
    ) -> list[dict[str, Any]]:
        """BentoML's own API, for the default model: each row gets its prediction or its errors."""
        return await MODELS.default.answer_each(rows)


class Composed(bentoml.Service[Service]):  # type: ignore[misc] # untyped there
    """BentoML's service, with our routes in front of its own."""

    def to_asgi(self, is_main: bool = True) -> ASGIApp:
        """The application of a worker."""
        connection.install(SETTINGS)
        try:
            TRACING.start()
        except SettingsError as error:
            lifecycle.refuse(error)
        unknown: dict[str, ASGIApp] = {"/v1/": v1.UnknownPath(MODELS), "/v2/": v2.UnknownPath(MODELS)}
        behind = super().to_asgi(is_main)
        front = Front(behind, self._routes, unknown)
        origins = [origin.strip() for origin in SETTINGS.cors_origins.split(",") if origin.strip()]
        traced = TRACING.traced(front)
        methods = ("GET", "HEAD", "POST")
        return CORSMiddleware(traced, origins, allow_methods=methods, allow_headers=["*"]) if origins else traced

    def _routes(self) -> dict[str, ASGIApp]:
        return {
            native.PATH: native.Native(SETTINGS, MODELS.default),
            **platforms.routes(MODELS.default, SETTINGS, os.environ),
            "/": Page(openapi.PAGE),
            ui.PATH: ui.ToPage(SETTINGS.ui),
            "/docs.json": Document(lambda: openapi.document(MODELS, self.openapi_spec.asdict())),
            "/metrics": Exposition(),
            **v1.routes(MODELS, SETTINGS),
            **v2.routes(MODELS, SETTINGS),
        }


# BentoML finds the models of a service among its class attributes, and each is there under its own name.
Boxwood = bentoml.service(
    name="boxwood",
    metrics={"enabled": False},
    workers=SETTINGS.workers,
    service_class=Composed,
)(type("Service", (Service,), {f"model_{name}": model for name, model in STORED.items()}))
