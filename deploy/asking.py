"""Clients of a service, as its callers use it: V1 over HTTP, and the typed gRPC service found by reflection."""

import os
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Protocol, Self
from urllib.parse import urlsplit

import google.auth
import grpc
import httpx
import requests
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import AuthorizedSession
from google.protobuf import json_format
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from deploy.config import Transport
from deploy.errors import CloudError

_SECONDS = 30
_KEY, _HEADER = "API_KEY", "x-api-key"
"""The variable with the key for services that want one beside their platform's identity token."""
_EXPLORING = ("x-boxwood-purpose", "exploring")
"""Says of golden rows that they are nobody's, so that whoever watches the model leaves them out."""
Rows = Sequence[Mapping[str, Any]]


class Failed(Exception):
    """A request got no answer, or an error."""


class Api(Protocol):
    """A service under one URL. Its methods raise Failed."""

    def ask(self, verb: str, model: str, rows: Rows, version: str = "") -> tuple[str, list[dict[str, Any]]]:
        """The model's version, and its answers to `rows` in their order; `verb` is predict or explain.

        Without a version, the one answers that the service has for that.
        A page answers "" and no rows, if it can be loaded.
        """

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close its connections."""


def api(transport: Transport, url: str, token: str | None) -> Api:
    """A client of the service under `url`; a private service needs an identity token."""
    kinds: dict[Transport, Callable[[str, str | None], Api]] = {"http": _Http, "grpc": _Grpc, "page": _Page}
    return kinds[transport](url, token)


class _Http(httpx.Client):
    def __init__(self, url: str, token: str | None) -> None:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        headers |= dict(_common_headers())
        super().__init__(base_url=url, headers=headers, timeout=_SECONDS)

    def ask(self, verb: str, model: str, rows: Rows, version: str = "") -> tuple[str, list[dict[str, Any]]]:
        try:
            place = f"{model}/versions/{version}" if version else model
            answer = self.post(f"/v1/models/{place}:{verb}", json={"instances": rows})
            answer.raise_for_status()
            document = answer.json()
            return document["model_version"], document[f"{_noun(verb)}s"]
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            raise Failed(f"{verb} over HTTP: {error!r}") from error


class _Page(_Http):
    def ask(self, verb: str, model: str, rows: Rows, version: str = "") -> tuple[str, list[dict[str, Any]]]:
        try:
            self.get("/").raise_for_status()
        except httpx.HTTPError as error:
            raise Failed(f"the page: {error!r}") from error
        return "", []


def _common_headers() -> list[tuple[str, str]]:
    """What each request says beside its rows, as headers or metadata."""
    key = os.environ.get(_KEY, "")
    return [_EXPLORING, *([(_HEADER, key)] if key else [])]


class _WithMetadata(grpc.UnaryUnaryClientInterceptor, grpc.StreamStreamClientInterceptor):  # type: ignore[misc] # untyped
    """Adds metadata to each call, reflection's too."""

    def __init__(self, metadata: list[tuple[str, str]]) -> None:
        self._metadata = metadata

    def intercept_unary_unary(self, ask: Any, details: Any, request: Any) -> Any:
        return ask(self._with(details), request)

    def intercept_stream_stream(self, ask: Any, details: Any, requests: Any) -> Any:
        return ask(self._with(details), requests)

    def _with(self, details: Any) -> Any:
        return details._replace(metadata=[*(details.metadata or ()), *self._metadata])


class _Grpc:
    def __init__(self, url: str, token: str | None) -> None:
        parts = urlsplit(url)
        if parts.scheme == "https":
            credentials = grpc.ssl_channel_credentials()
            if token:
                bearer = grpc.access_token_call_credentials(token)
                credentials = grpc.composite_channel_credentials(credentials, bearer)
            self._channel = grpc.secure_channel(f"{parts.hostname}:{parts.port or 443}", credentials)
        else:
            self._channel = grpc.insecure_channel(parts.netloc)
        self._channel = grpc.intercept_channel(self._channel, _WithMetadata(_common_headers()))
        self._pool = DescriptorPool(ProtoReflectionDescriptorDatabase(self._channel))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()

    def ask(self, verb: str, model: str, rows: Rows, version: str = "") -> tuple[str, list[dict[str, Any]]]:
        try:
            service = self._pool.FindServiceByName(f"boxwood.{model}.Predictor")
            method = service.methods_by_name[verb.title()]
            request = json_format.ParseDict({"rows": list(rows)}, GetMessageClass(method.input_type)())
            if version:
                request.model_version = version
            call = self._channel.unary_unary(
                f"/{service.full_name}/{method.name}",
                request_serializer=lambda message: message.SerializeToString(),
                response_deserializer=GetMessageClass(method.output_type).FromString,
            )
            answer = json_format.MessageToDict(
                call(request, timeout=_SECONDS),
                preserving_proto_field_name=True,
                always_print_fields_with_no_presence=True,
            )
            return answer["model_version"], answer[f"{_noun(verb)}s"]
        except (grpc.RpcError, KeyError, ValueError, json_format.Error) as error:
            detail = error.details() if isinstance(error, grpc.Call) else repr(error)
            raise Failed(f"{verb} over gRPC: {detail}") from error


def _noun(verb: str) -> str:
    return {"predict": "prediction", "explain": "explanation"}[verb]


def token(caller: str, audience: str) -> str | None:
    """An identity token of the service account `caller` for a private service; None without one.

    The IAM Credentials API issues it to everybody with roles/iam.serviceAccountTokenCreator: a person, a machine, or a
    workflow with a federated identity. It is valid for an hour; a release takes less.
    Raises CloudError.
    """
    if not caller:
        return None
    url = f"https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/{caller}:generateIdToken"
    try:
        credentials, _ = google.auth.default(scopes=["https://www.googleapis.com/auth/cloud-platform"])
        with AuthorizedSession(credentials) as session:
            answer = session.post(url, json={"audience": audience, "includeEmail": True}, timeout=_SECONDS)
        answer.raise_for_status()
        identity_token: str = answer.json()["token"]
    except (GoogleAuthError, requests.RequestException, ValueError, KeyError) as error:
        raise CloudError(f"{caller} cannot ask {audience}: there is no identity token for it: {error}") from error
    return identity_token
