"""Who may call what over gRPC: everything needs a known caller but the probes, and what the settings open."""

from collections.abc import Sequence

import grpc

from serving.access.access import Access, demand_one, of_metadata
from serving.access.caller import ANYONE, Asked, Caller
from serving.settings import DOCS, Settings
from serving.telemetry import Measurement

_PROBES = frozenset({"inference.GRPCInferenceService.ServerLive", "inference.GRPCInferenceService.ServerReady"})


class Door:
    """Lets calls in, and notes how they end; raises Unauthenticated."""

    def __init__(self, access: Access, settings: Settings, models: Sequence[str]) -> None:
        """Guard what the settings do not open; `models` are the names of those that are served."""
        self._access, self._models = access, models
        self._docs = DOCS in settings.open_routes

    async def caller(self, name: str, metadata: Sequence[tuple[str, str | bytes]]) -> Caller:
        """Who calls a method."""
        if not self._access.on or name in _PROBES:
            return ANYONE
        by_name = dict(metadata)
        if len(by_name) < len(metadata):
            demand_one(key for key, _ in metadata)
        sent = of_metadata(by_name)
        return self._access.caller(sent) or await self._access.identified(sent)

    async def demand_reader(self, context: grpc.aio.ServicerContext) -> None:
        """Let in who may read what all models are; raises Forbidden too."""
        if not self._docs:
            caller = await self.caller("", tuple(context.invocation_metadata() or ()))
            for model in self._models:
                caller.demand(model)

    def ended(self, name: str, asked: Asked, measured: Measurement, request: str | None) -> None:
        """Note how a call ended."""
        if not self._access.noting or name in _PROBES:
            return
        labels = (f"gRPC {name}", "", "", "") if measured.metrics is None else measured.metrics.labels
        self._access.ended(asked, labels, measured.outcome, measured.seconds, request)
