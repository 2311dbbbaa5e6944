"""What all our routes share: failures that harm nobody else, and traces."""

import asyncio
import contextlib
import gc
import json
import logging
import weakref
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from starlette.types import Receive, Scope

from serving import logs
from serving.rest.asgi import Document, Endpoint, Front, run_unless_disconnected
from serving.rest.exchange import Reply
from serving.rest.guard import NO_GUARD
from validation.errors import CallerLeft, Overloaded

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def ask(make: Callable[[], object], **headers: str) -> httpx.Response:
    """One request to a document that is made like this."""

    async def send() -> httpx.Response:
        document = Document(make)
        front = Front(document, lambda: {"/document": document}, {}, NO_GUARD)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(front), base_url="http://boxwood") as client:
            return await client.get("/document", headers=headers)

    return asyncio.run(send())


def told(record: logging.LogRecord) -> dict[str, Any]:
    """What a line of the log says, beside when and where."""
    return {"event": record.getMessage(), **vars(record)["facts"]}


def test_a_failure_is_logged_with_its_trace_and_says_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "boxwood.http"):
        response = ask(lambda: 1 / 0, traceparent=TRACE)
    assert response.status_code == 500
    assert response.json()["detail"] == "The service failed; its log says why."
    assert "division" not in response.text
    assert response.headers["traceparent"] == TRACE
    [record] = caplog.records
    assert told(record) == {
        "event": "error", "method": "GET", "path": "/document", "trace_id": TRACE.split("-")[1],
    }  # fmt: skip
    assert record.exc_info is not None


def test_the_callers_name_for_a_request_is_logged_and_comes_back(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "boxwood.http"):
        response = ask(lambda: 1 / 0, **{"x-request-id": "order-17/3"})
    assert response.headers["x-request-id"] == "order-17/3"
    assert told(caplog.records[0])["request_id"] == "order-17/3"
    assert ask(dict, traceparent=TRACE, **{"x-request-id": "a"}).headers["traceparent"] == TRACE
    for odd in ("", "two words", "x" * 129, "tab\there"):
        assert "x-request-id" not in ask(dict, **{"x-request-id": odd}).headers


@pytest.mark.parametrize("trace", ["", "00-xyz", TRACE + "-1", TRACE.upper(), "\r\n"])
def test_malformed_traces_are_not_sent_back(trace: str) -> None:
    assert "traceparent" not in ask(dict, traceparent=trace.strip()).headers


def test_slow_requests_are_logged(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    ask(dict)
    assert not caplog.records
    monkeypatch.setattr(logs, "SLOW_SECONDS", 0.0)
    with caplog.at_level(logging.WARNING, "boxwood.http"):
        ask(dict, traceparent=TRACE)
    [record] = caplog.records
    line = told(record)
    assert (line["event"], line["outcome"], line["trace_id"]) == ("slow", "ok", TRACE.split("-")[1])
    assert line["seconds"] >= 0


def test_what_is_still_worked_on_when_the_server_ends_is_told_so() -> None:
    class Endless(Endpoint):
        methods = ("GET",)

        async def answer(self, scope: Scope, receive: Receive) -> Reply:
            await asyncio.Event().wait()
            raise AssertionError

    async def stopped() -> list[Any]:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
        asked = asyncio.ensure_future(Endless()(scope, send, send))  # type: ignore[arg-type]
        await asyncio.sleep(0)
        asked.cancel()  # as uvicorn does when its time for requests in flight is over
        await asked
        return sent

    start, body = asyncio.run(stopped())
    assert start["status"] == 503
    assert (b"retry-after", b"1") in start["headers"]
    assert json.loads(body["body"])["detail"].startswith("The service is stopping")


def test_an_error_keeps_nothing_of_its_request() -> None:
    """Refused requests of many rows were garbage that only a full collection found: hundreds of megabytes of it."""

    class Rows(list[object]):
        """A list that can be looked after."""

    async def refuse(rows: Rows) -> None:
        raise Overloaded(f"{len(rows)} rows are too many.")

    async def nobody_leaves() -> Any:
        await asyncio.Event().wait()

    async def main() -> bool:
        rows = Rows()
        alive = weakref.ref(rows)
        with contextlib.suppress(Overloaded):  # pytest.raises would keep the error
            await run_unless_disconnected(refuse(rows), nobody_leaves)
        del rows
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return alive() is None

    gc.disable()
    try:
        assert asyncio.run(main())
    finally:
        gc.enable()


def test_work_that_fails_while_it_is_given_up_is_waited_for() -> None:
    """Its error is nobody's, so asyncio would write it into the log, and it would still hold its place in the queue."""
    done, complaints = [], []

    async def fails_late() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            done.append(True)
            _ = 1 / 0

    async def leaves() -> dict[str, Any]:
        await asyncio.sleep(0)
        return {"type": "http.disconnect"}

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        with pytest.raises(CallerLeft):
            await run_unless_disconnected(fails_late(), leaves)
        assert done
        gc.collect()
        await asyncio.sleep(0)

    asyncio.run(main())
    assert not complaints
