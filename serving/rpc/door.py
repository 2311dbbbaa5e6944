"""Who may call what over gRPC: everything needs a known caller but the probes, and what the settings open."""

from collections.abc import Mapping

import grpc

from serving.access.access import Access, of_metadata
from serving.access.caller import ANYONE, Asked, Caller
from serving.settings import DOCS, Settings
from serving.telemetry import Measurement

_PROBES = frozenset({"inference.GRPCInferenceService.ServerLive", "inference.GRPCInferenceService.ServerReady"})


class Door:
    """Lets calls in, and notes how they end; raises Unauthenticated."""

    def __init__(self, access: Access, settings: Settings) -> None:
        """Guard what the settings do not open."""
        self._access = access
        self._docs = DOCS in settings.open_routes
        self.noting = access.noting
        """Whether `ended` is to be called."""

    def known(self, name: str, metadata: Mapping[str, str | bytes]) -> Caller | None:
        """Who calls a method; None for an identity token that was not seen before, which `identified` verifies."""
        if not self._access.on or name in _PROBES:
            return ANYONE
        return self._access.caller(of_metadata(metadata))

    async def identified(self, metadata: Mapping[str, str | bytes]) -> Caller:
        """Who sends a token, once it is verified."""
        return await self._access.identified(of_metadata(metadata))

    async def demand_reader(self, context: grpc.aio.ServicerContext) -> None:
        """Let in who may read which services there are."""
        if not self._docs:
            metadata = dict(context.invocation_metadata())
            if self.known("", metadata) is None:
                await self.identified(metadata)

    def ended(self, name: str, asked: Asked, measured: Measurement, request: str | None) -> None:
        """Note how a call ended."""
        if name in _PROBES:
            return
        labels = (f"gRPC {name}", "", "", "") if measured.metrics is None else measured.metrics.labels
        self._access.ended(asked, labels, measured.outcome, measured.seconds, request)
