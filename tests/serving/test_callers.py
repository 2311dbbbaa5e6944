"""Many callers at once over every transport: each gets their own answer, error and headers, and nobody else's."""

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple

import grpc
import httpx
import msgspec

from model.predictor import Predictor
from serving.rest import native
from tests.serving.rest.test_http import PREDICT
from tests.serving.rpc.over_grpc import infer_call, message
from tests.serving.rpc.test_open_inference import INFER
from tests.serving.test_metrics import samples

CALLERS = 64
TRANSPORTS = ("v1", "v2", "native", "grpc")


class Got(NamedTuple):
    """What a caller got, in one form for all transports; a tensor has no keys, and gRPC no headers."""

    predictions: list[float]
    ids: list[str]
    keys: list[dict[str, Any]] | None = None
    trace: str | None = None
    errors: Sequence[tuple[str, str]] = ()


def rows_of(caller: int, row: dict[str, Any], bad: bool) -> list[dict[str, Any]]:
    """One to three rows that nobody else sends."""
    changes = {"duration_hours": 0.5 + caller / 16, "travel_code": caller} | (
        {"cabin": f"roof {caller}"} if bad else {}
    )
    return [{**row, **changes, "distance_km": 40.0 * caller + 7 * place} for place in range(1 + caller // 4 % 3)]


def trace_of(caller: int) -> str:
    return f"00-{caller + 1:032x}-{caller + 1:016x}-01"


def errors_of(problem: Any) -> list[tuple[str, str]]:
    return [(error["column"], error["message"]) for error in problem["errors"]]


async def over_http(client: httpx.AsyncClient, transport: str, caller: int, rows: list[dict[str, Any]]) -> Got:
    path = {"v1": PREDICT, "v2": INFER, "native": native.PATH}[transport]
    columns = [
        {"name": name, "datatype": "BYTES" if isinstance(value, str) else "FP64", "shape": [len(rows)],
         "data": [row[name] for row in rows]}
        for name, value in rows[0].items()
    ]  # fmt: skip
    body: dict[str, Any] = {"v1": {"instances": rows}, "v2": {"inputs": columns}, "native": {"rows": rows}}[transport]
    response = await client.post(path, json=body, headers={"traceparent": trace_of(caller)})
    document, trace = response.json(), response.headers["traceparent"]
    if response.status_code != 200:
        return Got([], [], None, trace, errors_of(document))
    if transport == "v2":
        outputs = {output["name"]: output["data"] for output in document["outputs"]}
        return Got(outputs["prediction"], outputs["prediction_id"], None, trace)
    answers = document["predictions"] if transport == "v1" else document
    good = [answer for answer in answers if "errors" not in answer]
    errors = [error for answer in answers if "errors" in answer for error in errors_of(answer)]
    return Got(
        [a["prediction"] for a in good], [a["prediction_id"] for a in good], [a["keys"] for a in good], trace, errors
    )


async def over_grpc(channel: grpc.Channel, rows: list[dict[str, Any]]) -> Got:
    call = infer_call(channel).future(message(rows), timeout=60)
    if await asyncio.to_thread(call.exception) is not None:
        return Got([], [], errors=errors_of(msgspec.json.decode(dict(call.trailing_metadata())["problem-details-bin"])))
    outputs = {output.name: output.contents for output in call.result().outputs}
    ids = [one.decode() for one in outputs["prediction_id"].bytes_contents]
    return Got(list(outputs["prediction"].fp64_contents), ids)


async def ask_all(client: httpx.Client, channel: grpc.Channel, requests: list[list[dict[str, Any]]]) -> list[Got]:
    async with httpx.AsyncClient(base_url=client.base_url, timeout=60) as connected:
        asked = []
        for caller, rows in enumerate(requests):
            transport = TRANSPORTS[caller % len(TRANSPORTS)]
            over = over_grpc(channel, rows) if transport == "grpc" else over_http(connected, transport, caller, rows)
            asked.append(over)
        return await asyncio.gather(*asked)


def check(caller: int, rows: list[dict[str, Any]], got: Got, predictor: Predictor) -> None:
    """Hold an answer to good rows against what the model says in this process, to the bit."""
    assert not got.errors
    assert got.predictions == [one.prediction for one in predictor.predict(rows).predictions]
    assert len(got.ids) == len(rows)
    assert got.keys in (None, [{"travel_code": caller}] * len(rows))


def test_nobody_gets_anybody_elses_answer(
    client: httpx.Client, grpc_address: str, row: dict[str, Any], predictor: Predictor
) -> None:
    before = samples(client)
    ids: list[str] = []
    with grpc.insecure_channel(grpc_address) as channel:
        for bad in range(48, 52):  # in each round one caller has a bad row, over each transport once
            requests = [rows_of(caller, row, caller == bad) for caller in range(CALLERS)]
            answers = asyncio.run(ask_all(client, channel, requests))
            reason = f"'roof {bad}' is not a cabin that the model knows"
            assert [(caller, got.errors) for caller, got in enumerate(answers) if got.errors] == [
                (bad, [("cabin", reason)])
            ]
            for caller, got in enumerate(answers):
                assert got.trace == (None if TRANSPORTS[caller % len(TRANSPORTS)] == "grpc" else trace_of(caller))
                ids += got.ids
                if caller != bad:
                    check(caller, requests[caller], got, predictor)
    assert len(set(ids)) == len(ids)
    after = samples(client)
    assert after["boxwood_batch_rows_sum",] - before["boxwood_batch_rows_sum",] == len(ids)
    batches = after["boxwood_batch_rows_count",] - before["boxwood_batch_rows_count",]
    assert batches < 4 * (CALLERS - 1), "no rows of different callers were predicted together"
