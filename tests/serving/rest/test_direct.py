"""Small requests are answered straight from their connection: as through ASGI, however their bytes come."""

import contextlib
import json
import re
import socket
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from problems.base import Problem
from serving.rest import native
from tests.serving.rest.test_http import PREDICT
from tests.serving.rpc.test_open_inference import INFER

IDS = re.compile(rb"[0-9a-f]{32}")
JSON = {"content-type": "application/json"}


class Answer(NamedTuple):
    """What came back, without what differs from one answer to the next."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def asked(client: httpx.Client, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
    found = client.post(path, content=body, headers={**JSON, **headers})
    varies = {"date", "content-length"} if "content-encoding" in found.headers else {"date"}
    kept = {name: value for name, value in found.headers.items() if name not in varies}
    return Answer(found.status_code, kept, IDS.sub(b"", found.content))


def instances(*rows: Any, **members: Any) -> bytes:
    return json.dumps({"instances": rows, **members}).encode()


def tensors(row: Mapping[str, Any]) -> bytes:
    columns = [
        {"name": n, "datatype": "BYTES" if isinstance(v, str) else "FP64", "shape": [1], "data": [v]}
        for n, v in row.items()
    ]
    return json.dumps({"inputs": columns}).encode()


REQUESTS: Mapping[str, tuple[str, Any, Mapping[str, str]]] = {
    "good": (PREDICT, instances, {}),
    "a few": (PREDICT, lambda row: instances(*[row] * 5), {}),
    "none": (PREDICT, lambda row: instances(), {}),
    "too many for one turn": (PREDICT, lambda row: instances(*[row] * 300), {}),
    "very many": (PREDICT, lambda row: instances(*[row] * 600), {}),
    "far": (PREDICT, lambda row: instances({**row, "distance_km": 1e7}), {}),
    "bad": (PREDICT, lambda row: instances({**row, "cabin": "roof"}, row), {}),
    "partly bad": (f"{PREDICT}?partial=true", lambda row: instances({**row, "cabin": "roof"}, row), {}),
    "partial in the body": (PREDICT, lambda row: instances({}, row, partial=True), {}),
    "an odd query": (f"{PREDICT}?partial=perhaps", instances, {}),
    "a query of others": (f"{PREDICT}?utm=1", instances, {}),
    "no JSON": (PREDICT, lambda row: b"{", {}),
    "nothing": (PREDICT, lambda row: b"", {}),
    "a number": (PREDICT, lambda row: b'{"instances": 3}', {}),
    "CSV": (PREDICT, lambda row: b"a,b", {"content-type": "text/csv"}),
    "a name": (PREDICT, instances, {"x-request-id": "order-17"}),
    "a trace": (PREDICT, instances, {"traceparent": f"00-{1:032x}-{1:016x}-01"}),
    "a long answer": (PREDICT, lambda row: instances(*[row] * 30), {"accept-encoding": "gzip"}),
    "compressed or nothing": (PREDICT, instances, {"accept-encoding": "gzip, identity;q=0"}),
    "from a page": (PREDICT, instances, {"origin": "https://page.example"}),
    "a slash": (f"{PREDICT}/", instances, {}),
    "no such model": ("/v1/models/none:predict", instances, {}),
    "each": (native.PATH, lambda row: json.dumps({"rows": [row, {}]}).encode(), {}),
    "MLflow": ("/invocations", lambda row: json.dumps({"dataframe_records": [row]}).encode(), {}),
    "tensors": (INFER, tensors, {}),
    "no tensors": (INFER, lambda row: b'{"inputs": []}', {}),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_both_ways_say_the_same(
    client: httpx.Client, through_asgi: httpx.Client, row: dict[str, Any], name: str
) -> None:
    path, made, headers = REQUESTS[name]
    body = made(row)
    first, again, other = (asked(one, path, body, headers) for one in (client, client, through_asgi))
    assert first == again == other


def message(path: str, body: bytes, *lines: str) -> bytes:
    head = [f"POST {path} HTTP/1.1", "host: boxwood", "content-type: application/json", *lines]
    return "\r\n".join([*head, f"content-length: {len(body)}", "", ""]).encode() + body


class Talk:
    """One connection, whose answers are read one by one."""

    def __init__(self, client: httpx.Client) -> None:
        self._socket = socket.create_connection((client.base_url.host, client.base_url.port or 80), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self._socket.makefile("rb")

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def end(self) -> None:
        with contextlib.suppress(OSError):  # the server may have closed already
            self._socket.shutdown(socket.SHUT_WR)

    def answer(self) -> tuple[int, bytes] | None:
        """The status and the body of the next answer; None once the connection is closed."""
        try:
            line = self._file.readline()
            if not line:
                return None
            length = 0
            while (header := self._file.readline()) not in (b"\r\n", b""):
                name, _, value = header.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            return int(line.split()[1]), IDS.sub(b"", self._file.read(length))
        except ConnectionResetError:
            return None

    def answers(self) -> list[tuple[int, bytes]]:
        """All that come until the connection is closed."""
        return list(iter(self.answer, None))

    def __enter__(self) -> "Talk":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._socket.close()


@pytest.fixture(scope="module")
def pool(client: httpx.Client, flights: Problem) -> list[tuple[bytes, tuple[int, bytes]]]:
    """Messages of all sorts, and what each is answered by itself."""
    row = flights.contract.example()
    sent = [message(PREDICT, instances({**row, "distance_km": 100.0 * place})) for place in range(3)]
    sent += [message(PREDICT, made(row)) for _, made, _ in (REQUESTS[name] for name in ("bad", "no JSON", "nothing"))]
    sent += [message(INFER, tensors(row)), message(PREDICT, instances(*[row] * 40))]
    sent += [b"GET /v1/models HTTP/1.1\r\nhost: boxwood\r\n\r\n"]
    sent += [message(PREDICT, instances(row), "expect: 100-continue").replace(b"expect", b"x-expect")]
    pairs = []
    for one in sent:
        with Talk(client) as talk:
            talk.send(one)
            answer = talk.answer()
            assert answer is not None
            pairs.append((one, answer))
    return pairs


@given(data=st.data())
@settings(max_examples=150)
def test_answers_come_in_order_however_bytes_are_cut(
    client: httpx.Client, pool: Sequence[tuple[bytes, tuple[int, bytes]]], data: st.DataObject
) -> None:
    chosen = data.draw(st.lists(st.sampled_from(range(len(pool))), min_size=1, max_size=6))
    whole = b"".join(pool[place][0] for place in chosen)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(whole) - 1), max_size=5)))
    with Talk(client) as talk:
        for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True):
            talk.send(whole[start:end])
        assert [talk.answer() for _ in chosen] == [pool[place][1] for place in chosen]


def test_a_head_that_came_before_is_known_only_with_a_body_of_its_length(
    client: httpx.Client, pool: Sequence[tuple[bytes, tuple[int, bytes]]]
) -> None:
    with Talk(client) as talk:
        for one, answer in [*pool[:3], *pool[:3]]:
            talk.send(one)
            assert talk.answer() == answer
        talk.send(pool[0][0] + pool[1][0])
        assert [talk.answer(), talk.answer()] == [pool[0][1], pool[1][1]]
        head, _, body = pool[0][0].partition(b"\r\n\r\n")
        talk.send(head + b"\r\n\r\n" + body[:-1])
        talk.send(body[-1:] + pool[2][0])
        assert [talk.answer(), talk.answer()] == [pool[0][1], pool[2][1]]


def smuggled(row: Mapping[str, Any]) -> dict[str, bytes]:
    """Requests whose end two readers may see at different places (RFC 9112, 11.2)."""
    body = instances(row)
    inner = message("/v1/models/none:predict", b"{}")
    chunk = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    start = f"POST {PREDICT} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n".encode()
    length = b"content-length: %d\r\n" % len(body)
    return {
        "both lengths": start + length + b"transfer-encoding: chunked\r\n\r\n" + chunk,
        "both, the other way round": start + b"transfer-encoding: chunked\r\n" + length + b"\r\n" + chunk + inner,
        "two different lengths": start + length + b"content-length: 0\r\n\r\n" + body,
        "two equal lengths": start + length + length + b"\r\n" + body,
        "a list of lengths": start + b"content-length: %d, 0\r\n\r\n" % len(body) + body,
        "a signed length": start + b"content-length: +%d\r\n\r\n" % len(body) + body,
        "a length in sixteens": start + b"content-length: 0x10\r\n\r\n" + body,
        "a negative length": start + b"content-length: -1\r\n\r\n" + body,
        "bare line feeds": (start + length).replace(b"\r\n", b"\n") + b"\n" + body,
        "a bare carriage return": start.replace(b"host: x\r\n", b"host: x\r") + length + b"\r\n" + body,
        "a folded header": start + b"x-a: 1\r\n " + length + b"\r\n" + inner + body,
        "a blank before the colon": start + length.replace(b":", b" :") + b"\r\n" + body + inner,
        "a header without a name": start + b": 1\r\n" + length + b"\r\n" + body,
        "chunk extensions": start + b"transfer-encoding: chunked\r\n\r\n" + chunk.replace(b"\r\n", b";a=b\r\n", 1),
        "a chunk of a wrong size": start + b"transfer-encoding: chunked\r\n\r\n1\r\n" + body + b"\r\n0\r\n\r\n",
        "an unknown coding": start + b"transfer-encoding: xchunked\r\n" + length + b"\r\n" + body + inner,
        "a coding behind another": start + b"transfer-encoding: chunked, identity\r\n\r\n" + chunk + inner,
        "a tab before chunked": start + b"transfer-encoding:\tchunked\r\n" + length + b"\r\n" + chunk,
        "an absolute address": start.replace(b"POST ", b"POST http://other.example") + length + b"\r\n" + body,
        "another version": start.replace(b"HTTP/1.1", b"HTTP/1.0") + length + b"\r\n" + body + inner,
        "no version": start.replace(b" HTTP/1.1", b"") + length + b"\r\n" + body,
        "more than its length": start + b"content-length: 2\r\n\r\n" + body + inner,
        "an upgrade": start + b"connection: upgrade\r\nupgrade: h2c\r\n" + length + b"\r\n" + body + inner,
    }


@pytest.mark.parametrize("known", [False, True], ids=["first", "after others"])
def test_nothing_is_smuggled_in(
    client: httpx.Client, pool: Sequence[tuple[bytes, tuple[int, bytes]]], row: dict[str, Any], known: bool
) -> None:
    """What follows an odd request on its connection has its own answer or none, and others never notice."""
    innocent, own = pool[0]
    for name, odd in smuggled(row).items():
        with Talk(client) as talk, Talk(client) as other:
            for _ in range(3 * known):
                talk.send(innocent)
                assert talk.answer() == own
            talk.send(odd)
            with contextlib.suppress(OSError):
                talk.send(innocent)
            other.send(innocent)
            assert other.answer() == own, name
            talk.end()
            found = talk.answers()
        assert all(status < 500 for status, _ in found), (name, found)
        predicted = [body for status, body in found if status == 200]
        assert len(predicted) <= 2, name
        assert all(json.loads(body.replace(b",,", b",").replace(b",}", b"}"))["predictions"] for body in predicted), (
            name
        )
