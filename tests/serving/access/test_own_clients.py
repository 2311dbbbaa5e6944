"""What of ours asks services brings a key where it has one: a rollout's golden rows and the page."""

import asyncio
from typing import Any

import pytest

from deploy import asking
from deploy.config import Transport
from tests.serving.access.conftest import Guarded
from ui.service import Service, ServiceError


@pytest.mark.parametrize("transport", ["http", "grpc"])
def test_golden_rows_are_asked_with_the_key_of_the_environment(
    guarded: Guarded, row: dict[str, Any], monkeypatch: pytest.MonkeyPatch, transport: Transport
) -> None:
    url = str(guarded.client.base_url) if transport == "http" else f"http://{guarded.grpc}"
    with asking.api(transport, url, None) as api, pytest.raises(asking.Failed):
        api.ask("predict", "flights", [row])
    monkeypatch.setenv("API_KEY", guarded.keys["all"])
    with asking.api(transport, url, None) as api:
        _, [answer] = api.ask("predict", "flights", [row])
    assert answer["prediction"] > 0


def test_the_page_asks_with_its_key(guarded: Guarded) -> None:
    async def names(key: str) -> list[str]:
        service = Service(str(guarded.client.base_url), key=key)
        try:
            return await service.names()
        finally:
            await service.close()

    assert asyncio.run(names(guarded.keys["all"])) == ["flights"]
    with pytest.raises(ServiceError):
        asyncio.run(names(""))
