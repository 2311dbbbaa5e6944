"""The page's client: what it makes of a real service, and of servers that are none."""

import asyncio
import contextlib
import http.server
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, ClassVar, TypeVar

import httpx
import pytest

from tests.project import free_port
from tests.ui.wire import Wire
from ui import goals, questions
from ui.identity import GoogleIdentity
from ui.service import Away, Refused, Service, ServiceError

T = TypeVar("T")
Answer = tuple[int, dict[str, str], bytes]
ROW = {"origin": 1}


def asked(url: str, ask: Callable[[Service], Awaitable[T]], auth: httpx.Auth | None = None) -> T:
    """What a client of the service at `url` gets."""

    async def run() -> T:
        service = Service(url, auth)
        try:
            return await ask(service)
        finally:
            await service.close()

    return asyncio.run(run())


class Odd(http.server.BaseHTTPRequestHandler):
    """A server that answers everything in one way, and keeps what it was asked."""

    answers: ClassVar[list[Answer]]
    seen: ClassVar[list[tuple[str, dict[str, str]]]]

    def do_GET(self) -> None:
        self.seen.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
        self.rfile.read(int(self.headers.get("content-length", 0)))
        status, headers, body = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        self.send_response(status)
        for name, value in {**headers, "content-length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815 as it is called there

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextlib.contextmanager
def odd(*answers: Answer) -> Iterator[tuple[str, list[tuple[str, dict[str, str]]]]]:
    """The URL of a server that gives these answers, the last of them for ever, and what it is asked."""
    handler: Any = type("Handler", (Odd,), {"answers": list(answers), "seen": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", handler.seen
    finally:
        server.shutdown()
        server.server_close()


def test_a_real_service_describes_itself_and_answers(client: httpx.Client, row: dict[str, Any]) -> None:
    url = str(client.base_url)
    assert asked(url, Service.names) == ["flights"]
    model = asked(url, lambda service: service.model("flights"))
    assert [column.name for column in model.inputs] == list(row)
    assert model.spread(model.inputs[0]).shares
    said = client.post("/v1/models/flights:predict", json={"instances": [row]}).json()["predictions"][0]
    answers = asked(url, lambda service: service.predict("flights", [row]))
    assert answers.rows[0] is not None
    assert answers.rows[0]["prediction"] == said["prediction"]
    assert answers.version == model.version
    card = asked(url, lambda service: service.card("flights"))
    assert card is not None
    assert card.startswith(f"# {model.title}")


def test_rows_that_are_made_up_are_marked_as_no_cases(client: httpx.Client, row: dict[str, Any]) -> None:
    wire = Wire(str(client.base_url).rstrip("/"))
    other = {**row, "cabin": "premium"}

    async def ask(service: Service) -> None:
        model = await service.model("flights")
        await service.predict("flights", [row])
        await questions.compared(service, model, (row, other))
        await questions.varied(service, model, [row, other])
        now = await questions.answer(service, model, row)
        goal = goals.Bound(0.8 * now["prediction"], above=False)
        await questions.changed(service, model, row, now, goal, ["agency"])

    with wire.listening(free_port()) as url:
        asked(url, ask)
    case, *others = [one.purpose for one in wire.asked if ":predict" in one.path]
    assert case is None
    assert len(others) > 3
    assert {*others} == {"exploring"}


def test_refused_rows_come_with_their_errors(client: httpx.Client, row: dict[str, Any]) -> None:
    url, wrong = str(client.base_url), row | {"cabin": "busines"}
    with pytest.raises(Refused, match="1 error in 1 row") as caught:
        asked(url, lambda service: service.explain("flights", [wrong]))
    assert [error["column"] for error in caught.value.errors] == ["cabin"]
    answers = asked(url, lambda service: service.predict("flights", [wrong, row], partial=True))
    assert [said is None for said in answers.rows] == [True, False]
    assert [error["row"] for error in answers.errors] == [0]


def test_a_value_that_is_missing_is_said_in_words_for_people(client: httpx.Client, row: dict[str, Any]) -> None:
    url, wrong = str(client.base_url), row | {"cabin": None}
    with pytest.raises(Refused) as caught:
        asked(url, lambda service: service.predict("flights", [wrong]))
    [error] = caught.value.errors
    assert (error["column"], error["message"]) == ("cabin", "A value is needed.")
    answers = asked(url, lambda service: service.predict("flights", [row, wrong], partial=True))
    assert [(error["row"], error["message"]) for error in answers.errors] == [(1, "A value is needed.")]


def test_what_is_no_service_gets_a_sentence_and_its_owner_the_reason(
    client: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(Away, match=r"^The service does not answer just now\.$"):
        asked(nobody, Service.names)
    assert f"{nobody} cannot be reached: " in caplog.text
    with pytest.raises(ServiceError, match="There is no model 'nothing' here"):
        asked(str(client.base_url), lambda service: service.model("nothing"))
    cases: list[tuple[Answer, str]] = [
        ((200, {}, b"<html>"), "something else than JSON"),
        ((200, {}, b'{"models": []}'), "lists no models"),
        ((200, {}, b"[1]"), "something else than JSON"),
    ]
    for answer, reason in cases:
        caplog.clear()
        with odd(answer) as (url, _), pytest.raises(ServiceError, match="is not what this page reads"):
            asked(url, Service.names)
        assert url in caplog.text
        assert reason in caplog.text
    with (
        odd((405, {}, b"no")) as (url, _),
        pytest.raises(ServiceError, match=r"The service answered 405 Method Not Allowed\."),
    ):
        asked(url, Service.names)
    with odd((200, {}, b'{"name": "x"}')) as (url, _), pytest.raises(ServiceError, match="is not what this page reads"):
        asked(url, lambda service: service.model("x"))


def test_a_busy_service_is_asked_again_for_as_long_as_there_is_patience() -> None:
    busy: Answer = (503, {"retry-after": "0"}, b'{"detail": "Too much to do."}')
    good: Answer = (200, {}, b'{"model_version": "1", "predictions": [{"prediction": 1.5}]}')
    with odd(busy, busy, good) as (url, seen):
        answers = asked(url, lambda service: service.predict("x", [ROW]))
        assert answers.rows == [{"prediction": 1.5}]
        assert len(seen) == 3
    later: Answer = (503, {"retry-after": "60"}, b'{"detail": "Too much to do."}')
    with odd(later) as (url, seen), pytest.raises(ServiceError, match="Too much to do"):
        asked(url, lambda service: service.predict("x", [ROW]))
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("status", "headers", "to_visitors", "to_the_owner"),
    [
        (401, {}, "does not let this page in", "a key in API_KEY"),
        (403, {}, "may not ask the service for that", "--models and --verbs"),
        (429, {"retry-after": "7"}, "Try again in 7 seconds", "a larger quota"),
        (429, {"retry-after": "119"}, "Try again in 2 minutes", "a larger quota"),
        (429, {"retry-after": "40000"}, "Try again in 12 hours", "a larger quota"),
    ],
)
def test_a_page_that_is_refused_tells_its_visitors_and_its_owner(
    caplog: pytest.LogCaptureFixture, status: int, headers: dict[str, str], to_visitors: str, to_the_owner: str
) -> None:
    refused: Answer = (status, headers, b'{"detail": "The key page is in the detail."}')

    async def twice(service: Service) -> None:
        for _ in range(2):
            with pytest.raises(ServiceError, match=to_visitors) as caught:
                await service.predict("x", [ROW])
            assert "The key" not in str(caught.value)  # what the page is known as is nothing for visitors

    with odd(refused) as (url, _):
        asked(url, twice)
    [told] = [record.getMessage() for record in caplog.records if record.name == "boxwood.page"]
    assert f"{url} refused the page: {status} The key page is in the detail." in told
    assert to_the_owner in told


def test_a_table_waits_for_the_quota_of_the_page() -> None:
    much: Answer = (429, {"retry-after": "1"}, b'{"detail": "Too much."}')
    good: Answer = (200, {}, b'{"model_version": "1", "predictions": [{"prediction": 1.5}]}')
    with odd(much, good) as (url, seen):
        assert asked(url, lambda service: service.predict("x", [ROW], patience=30)).rows == [{"prediction": 1.5}]
        assert len(seen) == 2


def test_classes_are_asked_for_by_name() -> None:
    good: Answer = (200, {}, b'{"model_version": "1", "explanations": [null]}')
    with odd(good) as (url, seen):
        asked(url, lambda service: service.explain("x", [ROW], classes=["a b", "c"], partial=True))
        asked(url, lambda service: service.explain("x", [ROW]))
    paths = [path for path, _ in seen]
    assert paths == ["/v1/models/x:explain?classes=a+b&classes=c&partial=true", "/v1/models/x:explain"]


def test_a_service_below_a_path_is_asked_there() -> None:
    with odd((200, {}, b'{"models": ["x"]}')) as (url, seen):
        assert asked(f"{url}/behind/", Service.names) == ["x"]
    assert seen[0][0] == "/behind/v1/models"


def test_a_private_service_sees_who_asks(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    with odd((200, {}, b"token-1")) as (metadata, tokens), odd((200, {}, b'{"models": ["x"]}')) as (url, seen):
        monkeypatch.setenv("GCE_METADATA_HOST", metadata.removeprefix("http://"))

        async def twice(service: Service) -> list[str]:
            await service.names()
            return await service.names()

        asked(url, twice, GoogleIdentity("https://fares.run.app"))
    assert [headers["authorization"] for _, headers in seen] == ["Bearer token-1"] * 2
    [(path, headers)] = tokens  # asked once, and kept
    assert path.endswith("/identity?audience=https%3A%2F%2Ffares.run.app")
    assert headers["metadata-flavor"] == "Google"
    monkeypatch.setenv("GCE_METADATA_HOST", f"127.0.0.1:{free_port()}")
    with odd((200, {}, b"{}")) as (url, _), pytest.raises(Away):
        asked(url, Service.names, GoogleIdentity("https://fares.run.app"))
    assert "no identity token from 127.0.0.1" in caplog.text
