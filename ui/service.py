"""The page's client of the service: HTTP, answers, and errors in sentences for people."""

import asyncio
import logging
import ssl
import time
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, NamedTuple

import httpx
from pydantic import ValidationError

from ui import texts
from ui.described import Model, Row
from ui.watched import Verdict

_SECONDS = httpx.Timeout(60, connect=5)
_LONGEST_PAUSE = 5.0
_TOLD_SECONDS = 60.0
"""The owner is told of a kind of refusal so often at most, and not for each visitor."""
_EXPLORING = {"x-boxwood-purpose": "exploring"}
"""Says that rows are no cases of somebody, so that whoever watches the model leaves them out."""
_BUSY = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
_ANSWERS = (HTTPStatus.OK, HTTPStatus.UNPROCESSABLE_ENTITY, *_BUSY)
_OF_THE_PAGE: dict[int, tuple[str, str]] = {
    HTTPStatus.UNAUTHORIZED: (
        "The service does not let this page in. That is not your fault: its owner finds in the page's log what to do.",
        "Start the page with a key in API_KEY (python -m serving.access new page), or with --identity google before "
        "a private service on Cloud Run.",
    ),
    HTTPStatus.FORBIDDEN: (
        "This page may not ask the service for that. Its owner finds in the page's log why.",
        "Give the page a key that may ask this (python -m serving.access new page-2, with the --models and --verbs "
        "that visitors need, in API_KEY), or its account the role on Cloud Run.",
    ),
    HTTPStatus.TOO_MANY_REQUESTS: (
        "This page has asked for as many rows as it may for now. All its visitors share them. Try again in {wait}.",
        "Give the page a key with a larger quota: python -m serving.access new page-2 --rows-per-second N "
        "--rows-per-day N.",
    ),
}
"""Where the page is refused, and not what a visitor entered: a sentence for visitors, and what its owner must do."""
_STRANGE = "What the service says is not what this page reads. Its owner finds in the page's log what is wrong."
_SEVERAL = httpx.Limits(max_connections=32, max_keepalive_connections=8)
_log = logging.getLogger("boxwood.page")


class ServiceError(Exception):
    """The service gave no answer; the text is a sentence for people that says why."""


class Away(ServiceError):
    """Nothing answers, which may be over soon."""

    def __init__(self) -> None:
        super().__init__("The service does not answer just now.")


class Refused(ServiceError):
    """The service refused rows.

    Attributes:
        errors: one reason each: "row" (from 0), "column" (or None), "message", perhaps "expected".
    """

    def __init__(self, detail: str, errors: list[dict[str, Any]]) -> None:
        super().__init__(detail)
        self.errors = errors


class Answers(NamedTuple):
    """The answers to the rows of a request.

    Attributes:
        rows: the service's answer to each row; None for a row that was refused in a partial answer.
        version: the version of the model that answered.
        errors: the errors of refused rows in a partial answer.
        seconds: the time from sending the request to the whole answer.
    """

    rows: list[dict[str, Any] | None]
    version: str
    errors: list[dict[str, Any]]
    seconds: float


class Service:
    """A client of one service. It keeps connections and nothing else."""

    def __init__(
        self, url: str, auth: httpx.Auth | None = None, tls: ssl.SSLContext | None = None, key: str = ""
    ) -> None:
        """Connect to the service at `url`, which may have a path prefix.

        Args:
            url: of the service.
            auth: how requests are signed for a platform.
            tls: what to trust and show; None for what is usual.
            key: an API key, if the service wants one.
        """
        self.url = url.rstrip("/")
        # a company's proxy cannot reach servers on this machine
        elsewhere = httpx.URL(self.url).host not in ("localhost", "127.0.0.1", "::1")
        self._told: dict[int, float] = {}
        self._client = httpx.AsyncClient(
            base_url=self.url,
            auth=auth,
            headers={"x-api-key": key} if key else {},
            timeout=_SECONDS,
            limits=_SEVERAL,
            trust_env=elsewhere,
            verify=tls or True,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def names(self) -> list[str]:
        """The names of the models; raises ServiceError."""
        document = _document(await self._ask("GET", "/v1/models"))
        names = document.get("models")
        if not isinstance(names, list) or not names:
            raise self._strange("it lists no models")
        return [str(name) for name in names]

    async def versions(self, name: str) -> list[Model]:
        """The descriptions of all versions of a model, the one that answers by itself first; raises ServiceError."""
        default = await self.model(name)
        others = (self.model(f"{name}/versions/{version}") for version in default.versions[1:])
        return [default, *await asyncio.gather(*others)]

    async def model(self, place: str) -> Model:
        """The description of the model at a place, see `Model.place`; raises ServiceError."""
        document = _document(await self._ask("GET", f"/v1/models/{place}"))
        try:
            return Model.model_validate(document)
        except ValidationError as error:
            raise self._strange(f"what it says of '{place}' is {error}") from error

    async def like(self, place: str, column: str, text: str) -> list[str]:
        """The names of a category that a text may stand for; raises ServiceError."""
        path = f"/v1/models/{place}/columns/{column}"
        document = _document(await self._ask("GET", path, params={"like": text}))
        return [str(match) for match in document.get("names", [])]

    async def card(self, place: str, media: str = "text/markdown") -> str | None:
        """The model card as Markdown, or as a page with its pictures; None if the model has none. Raises ServiceError.

        `media` is "text/markdown" or "text/html".
        """
        path = f"/v1/models/{place}/card"
        answer = await self._ask("GET", path, headers={"accept": media}, good=(200, 404))
        return answer.text if answer.status_code == 200 else None

    async def verdict(self, name: str) -> Verdict | str:
        """The last verdict on a model, or why there is none in a sentence of the service; raises ServiceError."""
        answer = await self._ask("GET", f"/v1/models/{name}/watch", good=(200, 404))
        if answer.status_code == 404:
            return _detail(answer)
        try:
            return Verdict.model_validate(_document(answer))
        except ValidationError as error:
            raise self._strange(f"what it says of the answers of '{name}' is {error}") from error

    async def predict(
        self,
        place: str,
        rows: list[Row],
        *,
        partial: bool = False,
        raw: bool = False,
        exploring: bool = False,
        patience: float = 3,
    ) -> Answers:
        """Predictions of rows, see `explain`; `exploring` says that they are no cases of somebody."""
        return await self._answers(place, "predict", rows, _query(partial, raw), patience, exploring)

    async def explain(
        self,
        place: str,
        rows: list[Row],
        *,
        classes: Sequence[str] = (),
        partial: bool = False,
        raw: bool = False,
        patience: float = 3,
    ) -> Answers:
        """Explanations of rows.

        Args:
            place: the model's, see `Model.place`.
            rows: the rows, as requests carry them.
            classes: the classes to explain beside what the service explains by itself.
            partial: whether to answer the valid rows even if others are invalid.
            raw: whether the rows are as a raw table writes them.
            patience: for how many seconds to retry while the service is busy.

        Raises:
            Refused: there are invalid rows, and not `partial`.
            ServiceError: there is no answer for another reason.
        """
        query = [*(("classes", label) for label in classes), *_query(partial, raw)]
        return await self._answers(place, "explain", rows, query, patience)

    async def _answers(
        self,
        place: str,
        verb: str,
        rows: list[Row],
        query: Sequence[tuple[str, str]],
        patience: float,
        exploring: bool = False,
    ) -> Answers:
        path, headers = f"/v1/models/{place}:{verb}", _EXPLORING if exploring else {}
        asked: dict[str, Any] = {"params": [*query] or None, "json": {"instances": rows}, "headers": headers}
        until = time.monotonic() + patience
        while True:
            started = time.perf_counter()
            answer = await self._ask("POST", path, good=_ANSWERS, **asked)
            seconds = time.perf_counter() - started
            if answer.status_code not in _BUSY:
                break
            pause = _retry_after(answer)
            if answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
                pause = min(pause, _LONGEST_PAUSE)
            if time.monotonic() + pause > until:
                raise self._refusal(answer)
            await asyncio.sleep(pause)
        document = _document(answer)
        if answer.status_code == 422:
            raise Refused(_detail(answer), _worded(rows, document.get("errors", [])))
        try:
            answers = document["predictions" if verb == "predict" else "explanations"]
            return Answers(answers, document["model_version"], _worded(rows, document.get("errors", [])), seconds)
        except KeyError as error:
            raise self._strange(f"its answer is without {error}") from error

    async def _ask(self, method: str, path: str, *, good: tuple[int, ...] = (200,), **options: Any) -> httpx.Response:
        try:
            answer = await self._client.request(method, path, **options)
        except httpx.TimeoutException as error:
            self._tell(0, "%s did not answer %s in time", self.url, path)
            raise ServiceError("The service did not answer in time. Try again.") from error
        except httpx.HTTPError as error:
            self._tell(0, "%s cannot be reached: %s", self.url, str(error) or type(error).__name__)
            raise Away from error
        if answer.status_code not in good:
            raise self._refusal(answer)
        return answer

    def _refusal(self, answer: httpx.Response) -> ServiceError:
        """The error of an answer; where the page itself is refused, its owner is told in the log what to do."""
        known = _OF_THE_PAGE.get(answer.status_code)
        if known is None:
            return ServiceError(_detail(answer))
        to_visitors, to_the_owner = known
        status = answer.status_code
        self._tell(status, "%s refused the page: %d %s %s", self.url, status, _detail(answer), to_the_owner)
        return ServiceError(to_visitors.format(wait=texts.wait(_retry_after(answer))))

    def _strange(self, what: str) -> ServiceError:
        """The error of an answer that no Boxwood service gives."""
        self._tell(1, "What answers at %s is no Boxwood service, or of another release: %s", self.url, what)
        return ServiceError(_STRANGE)

    def _tell(self, kind: int, sentence: str, *values: object) -> None:
        """Tell the owner in the log, of each kind of trouble once a minute."""
        now = time.monotonic()
        if now >= self._told.get(kind, now):
            self._told[kind] = now + _TOLD_SECONDS
            _log.error(sentence, *values)


def _worded(rows: Sequence[Row], errors: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The errors of rows; of a value that is missing in words for people, who know nothing of null."""

    def missing(error: dict[str, Any]) -> bool:
        return error.get("column") in rows[error["row"]] and rows[error["row"]][error["column"]] is None

    return [{**error, "message": "A value is needed."} if missing(error) else error for error in errors]


def _query(partial: bool, raw: bool) -> list[tuple[str, str]]:
    return [(name, "true") for name, wanted in (("partial", partial), ("raw", raw)) if wanted]


def _document(answer: httpx.Response) -> dict[str, Any]:
    try:
        document = answer.json()
    except ValueError:
        document = None
    if not isinstance(document, dict):
        _log.error("%s answered with something else than JSON", answer.url)
        raise ServiceError(_STRANGE)
    return document


def _detail(answer: httpx.Response) -> str:
    """The reason of an error, in the service's words if it gives any."""
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return f"The service answered {answer.status_code} {answer.reason_phrase}."


def _retry_after(answer: httpx.Response) -> float:
    value = answer.headers.get("retry-after", "")
    return float(value) if value.isdecimal() else 1.0
