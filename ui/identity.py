"""The identity token for a private service on Cloud Run, of the account that the page runs as."""

import asyncio
import os
import time
from collections.abc import AsyncGenerator

import httpx

_PATH = "/computeMetadata/v1/instance/service-accounts/default/identity"
_KEPT_SECONDS = 240.0
"""The metadata server returns tokens that are valid for at least five minutes."""


class GoogleIdentity(httpx.Auth):
    """Adds an identity token to each request, from the metadata server that every container on Google Cloud has.

    Source: cloud.google.com/run/docs/authenticating/service-to-service.
    """

    def __init__(self, audience: str) -> None:
        """Get tokens for the service at the URL `audience`."""
        self._audience = audience
        self._host = os.environ.get("GCE_METADATA_HOST", "metadata.google.internal")
        self._token = ""
        self._until = 0.0
        self._fetching = asyncio.Lock()

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Add the token; raises httpx.HTTPError if none can be fetched."""
        async with self._fetching:
            if time.monotonic() > self._until:
                self._token = await self._fetch()
                self._until = time.monotonic() + _KEPT_SECONDS
        request.headers["authorization"] = f"Bearer {self._token}"
        yield request

    async def _fetch(self) -> str:
        try:
            async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
                answer = await client.get(
                    f"http://{self._host}{_PATH}",
                    params={"audience": self._audience},
                    headers={"metadata-flavor": "Google"},
                )
            return answer.raise_for_status().text
        except httpx.HTTPError as error:
            raise httpx.RequestError(f"there is no identity token from {self._host}: {error}") from error
