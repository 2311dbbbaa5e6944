"""BentoML's way into the application: the one service, with the models that it was built with."""

import os
from pathlib import Path
from typing import Annotated, Any

import bentoml
from bentoml.models import BentoModel
from pydantic import BaseModel, Field
from starlette.types import ASGIApp

from serving import lifecycle, logs, pins, tls
from serving.application import Application
from serving.rest import connection
from validation.errors import BoxwoodError


class Arguments(BaseModel):
    """`bentoml build --arg models=flights:…,churn:…`; without it, every packaged model."""

    models: str = ""


try:
    APPLICATION = Application(os.environ)
    MODELS = [BentoModel(tag) for tag in pins.tags(bentoml.use_arguments(Arguments).models, Path(__file__).parent)]
except BoxwoodError as error:
    raise lifecycle.NotStarting(error) from error


class Service:
    """What BentoML starts, asks and stops."""

    def __init__(self) -> None:
        lifecycle.join()
        try:
            bento = f"{bentoml.server_context.bento_name}:{bentoml.server_context.bento_version}"
            for model in MODELS:
                stored = model.resolve()
                APPLICATION.load(Path(stored.path), {"bento": bento, **stored.info.labels})
        except BoxwoodError as error:
            lifecycle.refuse(error)
        logs.set_up()
        lifecycle.freeze_heap()

    @bentoml.on_deployment  # type: ignore[untyped-decorator]
    @staticmethod
    def audit() -> None:
        """Refuse a bundle before the port opens."""
        lifecycle.audit((Path(model.resolve().path) for model in MODELS), APPLICATION.settings)

    @bentoml.on_deployment  # type: ignore[untyped-decorator]
    @staticmethod
    def supervise() -> None:
        """Watch over the workers; BentoML calls its hooks in the order of their names."""
        lifecycle.supervise(APPLICATION.settings)

    @bentoml.on_startup  # type: ignore[untyped-decorator]
    async def listen(self) -> None:
        """Serve gRPC beside HTTP."""
        await APPLICATION.listen()

    @bentoml.on_shutdown  # type: ignore[untyped-decorator]
    async def finish(self) -> None:
        """Let what is in flight over gRPC end."""
        await APPLICATION.finish()

    async def __is_ready__(self) -> bool:
        return True

    @bentoml.api(batchable=True, max_batch_size=1000)  # type: ignore[untyped-decorator]
    async def predict(
        self, rows: Annotated[list[dict[str, Any]], Field(max_length=APPLICATION.settings.max_rows)]
    ) -> list[dict[str, Any]]:
        """BentoML's own API, for the default model: each row gets its prediction or its errors."""
        return await APPLICATION.models.default.answer_each(rows)


class Composed(bentoml.Service[Service]):  # type: ignore[misc] # untyped there
    """BentoML's service, with our routes in front of its own."""

    def to_asgi(self, is_main: bool = True) -> ASGIApp:
        """The application of a worker, and how its server reads connections."""
        connection.install(APPLICATION.settings, APPLICATION.direct, APPLICATION.guard)
        try:
            tls.install(APPLICATION.settings)
        except BoxwoodError as error:
            lifecycle.refuse(error)
        return APPLICATION.in_front_of(super().to_asgi(is_main), self._described)

    def _described(self) -> dict[str, Any]:
        described: dict[str, Any] = self.openapi_spec.asdict()
        return described


Boxwood = bentoml.service(
    name="boxwood",
    metrics={"enabled": False},
    workers=APPLICATION.settings.workers,
    service_class=Composed,
    **tls.for_bentoml(APPLICATION.settings),
)(Service)
Boxwood.models.extend(MODELS)
