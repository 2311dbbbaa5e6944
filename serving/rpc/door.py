"""Who may call what over gRPC: everything needs a known caller but the probes, and what the settings open."""

from collections.abc import Sequence

import grpc

from serving.access.access import Access, demand_one, of_metadata
from serving.access.caller import ANYONE, Asked, Caller
from serving.settings import DOCS, Settings
from serving.telemetry import Measurement

_PROBES = frozenset({"inference.GRPCInferenceService.ServerLive", "inference.GRPCInferenceService.ServerReady"})


Metadata = Sequence[tuple[str, str | bytes]]
"""Of a call, in the order in which it was sent."""


class Door:
    """Lets calls in, and notes how they end; raises Unauthenticated."""

    def __init__(self, access: Access, settings: Settings, models: Sequence[str]) -> None:
        """Guard what the settings do not open; `models` are the names of those that are served."""
        self._access, self._models = access, models
        self._docs = DOCS in settings.open_routes
        self.noting = access.noting
        """Whether `ended` is to be called."""

    def known(self, name: str, metadata: Metadata) -> Caller | None:
        """Who calls a method; None for an identity token that was not seen before, which `identified` verifies."""
        if not self._access.on or name in _PROBES:
            return ANYONE
        return self._access.caller(_sent(metadata))

    async def identified(self, metadata: Metadata) -> Caller:
        """Who sends a token, once it is verified."""
        return await self._access.identified(_sent(metadata))

    async def demand_reader(self, context: grpc.aio.ServicerContext) -> None:
        """Let in who may read what all models are; raises Forbidden too."""
        if not self._docs:
            metadata = tuple(context.invocation_metadata() or ())
            caller = self.known("", metadata) or await self.identified(metadata)
            for model in self._models:
                caller.demand(model)

    def ended(self, name: str, asked: Asked, measured: Measurement, request: str | None) -> None:
        """Note how a call ended."""
        if name in _PROBES:
            return
        labels = (f"gRPC {name}", "", "", "") if measured.metrics is None else measured.metrics.labels
        self._access.ended([(asked, labels, measured.outcome, measured.seconds, request)])


def _sent(metadata: Metadata) -> dict[bytes, bytes]:
    """What says who calls; raises Unauthenticated where that is said twice."""
    by_name = dict(metadata)
    if len(by_name) < len(metadata):
        demand_one(key for key, _ in metadata)
    return of_metadata(by_name)
