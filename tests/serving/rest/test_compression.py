"""Compressed bodies: read up to the limit, refused where they are something else, and sent to who accepts them."""

import asyncio
import gzip
import itertools
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import msgspec
import numpy as np
import pytest
import tritonclient.grpc as over_grpc
import tritonclient.http as over_http
from hypothesis import given
from hypothesis import strategies as st

from serving.rest import compression, native, negotiation
from serving.settings import Settings
from tests.serving.rest.test_http import EXPLAIN, JSON, PREDICT
from tests.serving.rpc.test_open_inference import INFER
from validation.errors import RequestTooLarge, UnreadableRequest, UnsupportedMedia


def bare(content: bytes) -> bytes:
    """Deflate without zlib's header, as some clients send it."""
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(content) + stream.flush()


WAYS: Mapping[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "DEFLATE": bare,
}
ways = st.sampled_from([*WAYS])


def inflated(body: bytes, encoding: str, limit: int = 10**6) -> bytes:
    return asyncio.run(compression.inflated(body, encoding, limit))


@given(content=st.binary() | st.integers(0, 400_000).map(bytes), way=ways)
def test_what_was_compressed_is_read(content: bytes, way: str) -> None:
    encoding = compression.encoding_of([way.encode()])
    assert encoding is not None
    assert inflated(WAYS[way](content), encoding) == content


@given(size=st.integers(0, 300_000), limit=st.integers(0, 300_000), way=ways)
def test_the_limit_is_that_of_what_is_inflated(size: int, limit: int, way: str) -> None:
    body, encoding = WAYS[way](bytes(size)), way.lower().removeprefix("x-")
    if size <= limit:
        assert len(inflated(body, encoding, limit)) == size
    else:
        with pytest.raises(RequestTooLarge, match=f"limit of {limit} bytes when it is inflated"):
            inflated(body, encoding, limit)


@pytest.mark.parametrize("way", WAYS)
def test_a_body_that_is_not_what_it_says(way: str) -> None:
    encoding, whole = way.lower().removeprefix("x-"), WAYS[way](b"a" * 1_000)
    for cut in range(len(whole)):
        with pytest.raises(UnreadableRequest):
            inflated(whole[:cut], encoding)
    with pytest.raises(UnreadableRequest, match=r"3 bytes stand behind the end"):
        inflated(whole + b"abc", encoding)
    with pytest.raises(UnreadableRequest, match="is not gzip, as its Content-Encoding says"):
        inflated(b'{"instances": []}', "gzip")


@pytest.mark.parametrize("sent", [[b"br"], [b"zstd"], [b"gzip, gzip"], [b"gzip", b"deflate"], [b"compress"]])
def test_other_encodings_are_refused(sent: list[bytes]) -> None:
    with pytest.raises(UnsupportedMedia) as caught:
        compression.encoding_of(sent)
    assert caught.value.encodings == "gzip, deflate"
    assert compression.encoding_of([b"identity"]) is compression.encoding_of([b""]) is None


@pytest.mark.parametrize(
    ("accepted", "long", "short"),
    [
        ("gzip, deflate, br", "gzip", None),
        ("deflate", "deflate", None),
        ("gzip;q=0.5, deflate;q=0.8", "deflate", None),
        ("gzip;q=0, *", "deflate", None),
        ("br, *;q=0.1", "gzip", None),
        ("gzip;q=0.5, identity", None, None),
        ("gzip, identity;q=0", "gzip", "gzip"),
        ("gzip, *;q=0", "gzip", "gzip"),
        ("identity;q=0", None, None),
        ("identity", None, None),
        ("x-gzip", "gzip", None),
        ("gzip;q=x", None, None),
        ("", None, None),
    ],
)
def test_the_encoding_is_the_one_that_the_caller_prefers(accepted: str, long: str | None, short: str | None) -> None:
    def chosen(pays: bool) -> str | None:
        return negotiation.encoding_for({"headers": [(b"accept-encoding", accepted.encode())]}, pays=pays)

    assert (chosen(True), chosen(False)) == (long, short)
    assert negotiation.encoding_for({"headers": []}, pays=True) is None


@pytest.mark.parametrize("way", WAYS)
def test_every_route_reads_them(client: httpx.Client, row: dict[str, Any], way: str) -> None:
    column = {"name": "origin", "datatype": "BYTES", "shape": [1], "data": ["x"]}
    documents = ((PREDICT, {"instances": [row]}), (EXPLAIN, {"instances": [row]}), (native.PATH, {"rows": [row]}),
                 (INFER, {"inputs": [column]}))  # fmt: skip
    for path, document in documents:
        plain = client.post(path, json=document)
        body = WAYS[way](msgspec.json.encode(document))
        answer = client.post(path, content=body, headers={**JSON, "content-encoding": way})
        assert answer.status_code == plain.status_code == (422 if path == INFER else 200)


def test_refusals_over_http(client: httpx.Client) -> None:
    limit = Settings().max_body_bytes
    for path in (PREDICT, EXPLAIN, INFER, native.PATH):
        answer = client.post(path, content=b"{}", headers={**JSON, "content-encoding": "br"})
        assert answer.status_code == 415
        assert answer.headers["accept-encoding"] == "gzip, deflate"
        bomb = gzip.compress(bytes(limit + 1))
        headers = {**JSON, "content-encoding": "gzip"}
        assert client.post(path, content=bomb, headers=headers).json()["status"] == 413


def test_long_answers_are_compressed_for_who_accepts_that(client: httpx.Client, row: dict[str, Any]) -> None:
    for rows in (40, 2_000):
        asked = {"instances": [row] * rows}
        plain = client.post(PREDICT, json=asked, headers={"accept-encoding": "identity"})
        assert "content-encoding" not in plain.headers
        for encoding in ("gzip", "deflate"):
            small = client.post(PREDICT, json=asked, headers={"accept-encoding": encoding})
            assert small.headers["content-encoding"] == encoding
            assert small.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"
            assert int(small.headers["content-length"]) < len(plain.content) / 3
            assert len(small.json()["predictions"]) == rows
    single = client.post(PREDICT, json={"instances": [row]})
    assert not {"content-encoding", "vary"} & set(single.headers)


@pytest.mark.parametrize(("asks", "answers"), [*itertools.product((None, "gzip", "deflate"), repeat=2)])
def test_tritons_http_client(client: httpx.Client, row: dict[str, Any], asks: str | None, answers: str | None) -> None:
    triton = over_http.InferenceServerClient(f"{client.base_url.host}:{client.base_url.port}")
    result = triton.infer(
        "flights",
        tensors(over_http, [row] * 300),
        request_compression_algorithm=asks,
        response_compression_algorithm=answers,
    )
    [answer] = client.post(PREDICT, json={"instances": [row]}).json()["predictions"]
    assert result.as_numpy("prediction").tolist() == [answer["prediction"]] * 300


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
def test_tritons_grpc_client(client: httpx.Client, grpc_address: str, row: dict[str, Any], algorithm: str) -> None:
    triton = over_grpc.InferenceServerClient(grpc_address)
    result = triton.infer("flights", tensors(over_grpc, [row] * 300), compression_algorithm=algorithm)
    assert len(result.as_numpy("prediction")) == 300


def tensors(over: Any, rows: list[dict[str, Any]]) -> list[Any]:
    """Raw tensors of rows."""
    made = []
    for name, value in rows[0].items():
        text = isinstance(value, str)
        array = np.array([row[name].encode() if text else row[name] for row in rows], dtype=object if text else float)
        tensor = over.InferInput(name, [len(rows)], "BYTES" if text else "FP64")
        made.append(tensor.set_data_from_numpy(array) or tensor)
    return made
