"""GET /: what is served, for people with a browser, and a form to try one row. GET /docs: Swagger UI.

All addresses on these pages are relative, so that they hold behind a proxy that adds a prefix. Their scripts and styles
lie beside Swagger UI's own, which come with BentoML. No other host is asked.
"""

import functools
import hashlib
import urllib.parse
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

from starlette.types import ASGIApp, Receive, Scope

from model import standing
from model.metrics import Metrics
from serving.models import Models
from serving.rest import fields, guard, negotiation, pages, ui
from serving.rest.asgi import READS, Endpoint
from serving.rest.exchange import Exchange, Reply, encode
from serving.served_model import ServedModel
from serving.settings import Settings
from serving.watch import Watch
from validation.errors import RequestError, Unauthenticated, UnknownModel

if TYPE_CHECKING:
    from jinja2 import Environment

DOCS = "/docs"
_FOLDER = Path(__file__).with_name("html")
_ASSETS = {"home.css": "text/css", "home.js": "text/javascript", "docs.js": "text/javascript"}
_VARIES = (b"vary", b"Accept")
_FOR_EVER = (b"cache-control", b"public, max-age=31536000, immutable")
"""The addresses of scripts and styles on our pages change with their content."""
_MOST_CLASSES = 10


class Links(TypedDict):
    """Where things are, relative to `GET /`; `page` if there is one."""

    models: str
    docs: str
    openapi: str
    metrics: str
    server: str
    page: NotRequired[str]


class Alive(TypedDict):
    """What `GET /` says to who is no browser: the liveness status of the V1 protocol, and where to go on."""

    status: str
    links: Links


def routes(models: Models, watch: Watch) -> dict[str, ASGIApp]:
    """The applications by path; `watch` has the verdicts on the models."""
    settings = models.shared.settings
    assets = {f"{guard.STATIC}{name}": _Asset(name, media) for name, media in _ASSETS.items()}
    return {"/": Home(models, watch), DOCS: _Docs(settings), **assets}


class Home(Endpoint):
    """GET: the page for browsers; other clients get JSON."""

    methods = READS

    def __init__(self, models: Models, watch: Watch) -> None:
        self._models, self._watch = models, watch
        self._settings = settings = models.shared.settings
        self._guarded = settings.guarded
        self._shown = not settings.told_to_all
        links = Links(models="v1/models", docs="docs", openapi="docs.json", metrics="metrics", server="v2")
        if settings.ui:
            links["page"] = ui.PATH[1:]
        self._alive = Reply(encode(Alive(status="alive", links=links)), headers=[_VARIES])

    async def answer(self, scope: Scope, receive: Receive) -> Reply:
        """The page, or the status."""
        if not negotiation.prefers_html(scope, "application/json"):
            return self._alive
        query = urllib.parse.parse_qs(scope["query_string"].decode("latin-1"), errors="replace")
        name, version = (query.get(key, [""])[0] for key in ("model", "version"))
        unknown = ""
        try:
            model = self._models.find(name or self._models.names[0], version)
        except UnknownModel as error:
            model, unknown = self._models.default, str(error)
        status = HTTPStatus.NOT_FOUND if unknown else HTTPStatus.OK
        return self._page(scope, status, unknown=unknown, **await self._seen(model))

    async def _answered(
        self, scope: Scope, receive: Receive, exchange: Exchange, refusal: RequestError | None
    ) -> tuple[Reply, bool]:
        """A browser, which can send no key by itself, is asked for one; its page says nothing of what is served."""
        reply, good = await super()._answered(scope, receive, exchange, refusal)
        if isinstance(refusal, Unauthenticated) and negotiation.prefers_html(scope, "application/json"):
            page = self._page(scope, HTTPStatus.UNAUTHORIZED, model=None)
            reply = page._replace(headers=[*reply.headers, *page.headers])
        return reply, good

    def _page(self, scope: Scope, status: HTTPStatus, **shown: Any) -> Reply:
        text = _template("home.html").render(**shown, guarded=self._guarded, ui=self._settings.ui, asset=_address)
        return _html(scope, text, pages.HOME, self._settings)._replace(status=status)

    async def _seen(self, model: ServedModel) -> Mapping[str, Any]:
        """What is shown of a model; how good it is to nobody who reads neither its card nor its description."""
        predictor, described = model.predictor, model.describe()
        versions = self._models.versions(predictor.name)
        place = predictor.name if len(versions) == 1 else f"{predictor.name}/versions/{predictor.version}"
        verdict = await self._watch.verdict(predictor.name, predictor.version) if self._shown else None
        metrics = described["metrics"] if self._shown else None
        return {
            "model": predictor,
            "place": place,
            "what": _what(model),
            "fields": fields.of(model, known=self._shown),
            "names": self._models.names,
            "versions": versions,
            "registered": described["lineage"].get("registry_version"),
            "since": model.since,
            "good": metrics and standing.sentence(metrics),
            "mark": metrics and _mark(metrics),
            "watched": verdict and verdict.summary.sentence,
        }


def _mark(metrics: Metrics) -> str:
    """The class of the style in which the verdict is shown."""
    if not metrics.beats_lookup:
        return "bad"
    return "stale" if standing.ahead(metrics) else "good"


def _what(model: ServedModel) -> str:
    """What is predicted, in which unit or as which classes."""
    target, classes = model.predictor.contract.target, model.predictor.outcome.subjects
    meaning = f" ({target.help.rstrip('.')})" if target.help else ""
    unit = f" in {target.answer_unit}" if target.answer_unit else ""
    if not classes:
        return f"{target.name}{unit}{meaning}, with an interval"
    listed = ", ".join(classes[:_MOST_CLASSES]) + ", …" * (len(classes) > _MOST_CLASSES)
    return f"{target.name}{meaning}: one of {listed}, each with its probability"


class _Docs(Endpoint):
    """GET: every route to read and to try, by Swagger UI."""

    methods = READS

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def answer(self, scope: Scope, receive: Receive) -> Reply:
        # what was asked for, of which the front takes a slash from the end
        deeper = scope.get("raw_path", b"").endswith(b"/")
        text = _template("docs.html").render(up="../" if deeper else "", asset=_address)
        return _html(scope, text, pages.DOCS, self._settings)


class _Asset(Endpoint):
    """GET: a script or a style."""

    methods = READS

    def __init__(self, name: str, media: str) -> None:
        headers = [_FOR_EVER, (b"x-content-type-options", b"nosniff")]
        self._reply = Reply((_FOLDER / name).read_bytes(), f"{media}; charset=utf-8", headers=headers)

    async def answer(self, scope: Scope, receive: Receive) -> Reply:
        return self._reply


def _html(scope: Scope, text: str, policy: bytes, settings: Settings) -> Reply:
    headers = [_VARIES, *pages.headers(scope, policy, settings)]
    return Reply(text.encode(), "text/html; charset=utf-8", headers=headers)


@functools.cache
def _address(name: str) -> str:
    """The address of a script or style relative to `GET /`, which is another one once its content is."""
    digest = hashlib.sha256((_FOLDER / name).read_bytes()).hexdigest()
    return f"{guard.STATIC[1:]}{name}?{digest[:12]}"


def _template(name: str) -> Any:
    return _templates().get_template(name)


@functools.cache
def _templates() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # the supervisor renders nothing

    return Environment(
        loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
