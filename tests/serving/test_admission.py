"""Overload: what is too much is refused at once, and what is being answered is answered."""

import asyncio
import concurrent.futures
import contextlib
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import grpc
import httpx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model import bundle
from model.predictor import Predictor
from serving.access.caller import Caller, Usage
from serving.admission import Gate, Resource
from serving.served_model import ServedModel
from serving.settings import Settings
from serving.shared import Shared
from tests.generated import generated
from tests.project import Project, free_port
from tests.serving.rest.test_http import EXPLAIN, PREDICT, problem
from validation.decode import Decoded, Inputs, count
from validation.errors import Overloaded, RequestTooLarge, RowsRejected
from validation.table import Table


def gate(seconds_a_row: float, resource: Resource | None = None) -> Gate:
    """A gate before which requests wait a second at most and may take ten."""
    return Gate(resource or Resource(Settings(max_wait_ms=1_000, max_answer_seconds=10)), seconds_a_row)


def test_a_request_of_more_rows_than_the_limit_is_refused_whatever_waits() -> None:
    few = gate(0.001, Resource(Settings(max_rows=5)))
    few.demand_room(5)
    with pytest.raises(RequestTooLarge, match="6 rows are above the limit of 5 rows a request; send them in parts"):
        few.demand_room(6)


def test_what_could_ever_be_answered_does_not_depend_on_what_waits() -> None:
    """A protocol asks that before it builds rows, when it is not the question yet whose they are."""
    explaining = gate(0.1)
    with explaining.admit(50):
        with pytest.raises(Overloaded):
            explaining.demand_room(2)
        explaining.demand_possible(2)
        with pytest.raises(RequestTooLarge, match="101 rows would take more than 10 seconds"):
            explaining.demand_possible(101)


def test_a_large_request_waits_for_all_that_came_before() -> None:
    explaining = gate(0.1)
    with explaining.admit(6), explaining.admit(5):  # 0.6 seconds to wait for the second
        says = r"Requests that came before would take 1\.1 seconds"
        with pytest.raises(Overloaded, match=says) as refused, explaining.admit(2):
            pass
        assert refused.value.seconds == 2
        assert explaining.waiting.rows == 11
    with pytest.raises(ZeroDivisionError), explaining.admit(50):  # however many, where nobody is before them
        _ = 1 / 0
    assert explaining.waiting.rows == 0
    explaining.demand_room(50)


def test_a_small_request_waits_for_a_turn_of_each() -> None:
    predicting = gate(0.001)
    assert predicting.part == 50
    with contextlib.ExitStack() as let_in:
        let_in.enter_context(predicting.admit(9_000))
        for _ in range(18):  # with the large one's turn, nineteen of 0.05 seconds
            let_in.enter_context(predicting.admit(50))
        with pytest.raises(Overloaded):
            predicting.demand_room(51)
        for _ in range(2):
            let_in.enter_context(predicting.admit(30))
        with pytest.raises(Overloaded):
            predicting.demand_room()


def test_models_wait_for_one_another() -> None:
    shared = Resource(Settings(max_wait_ms=1_000))
    slow, fast = gate(0.5, shared), gate(0.001, shared)
    with slow.admit(3), pytest.raises(Overloaded):
        fast.demand_room(100)
    fast.demand_room(100)


def test_what_cannot_be_answered_in_time_is_not_begun() -> None:
    with pytest.raises(
        RequestTooLarge, match="101 rows would take more than 10 seconds; send parts of at most 100 rows"
    ):
        gate(0.1).demand_room(101)


def test_a_gate_learns_how_long_rows_take() -> None:
    explaining = gate(10.0)
    with explaining.admit(1), pytest.raises(Overloaded):
        explaining.demand_room()
    for _ in range(50):
        explaining.took(100, 0.1)
    with explaining.admit(1):
        explaining.demand_room()


def test_a_pause_of_the_machine_is_not_learned_as_slow_rows() -> None:
    predicting = gate(0.001)
    predicting.took(50, 60.0)
    assert predicting.part > 25


def test_a_refused_request_says_nothing_of_how_long_rows_take(trained: Project, row: dict[str, Any]) -> None:
    opened = bundle.read(trained.folder / "data/flights/bundle")
    model = ServedModel(Predictor.of(opened), opened, {}, Shared(Settings()))
    for _ in range(60):
        model.predicting.gate.took(1, 0.001)
    part = model.predicting.gate.part
    with pytest.raises(RowsRejected):
        asyncio.run(model.predict([{}, *[row] * 5_000]))
    assert model.predicting.gate.part == part < 60


def test_an_answer_that_does_not_come_is_given_up(trained: Project, row: dict[str, Any]) -> None:
    opened = bundle.read(trained.folder / "data/flights/bundle")
    shared = Shared(Settings(max_answer_seconds=1))
    model = ServedModel(Predictor.of(opened), opened, {}, shared)
    busy = threading.Event()
    shared.explainer.submit(busy.wait)
    with pytest.raises(Overloaded, match="The answer was not ready after 1 seconds"):
        asyncio.run(model.explain([row]))
    busy.set()
    assert model.explaining.gate.waiting.rows == 0
    assert len(asyncio.run(model.explain([row])).explanations) == 1


def test_many_rows_are_explained_from_tables_and_leave_the_turns_to_others(
    trained: Project, row: dict[str, Any]
) -> None:
    opened = bundle.read(trained.folder / "data/flights/bundle")
    shared = Shared(Settings())
    model = ServedModel(Predictor.of(opened), opened, {}, shared)
    for _ in range(60):
        model.explaining.gate.took(1, 0.02)
    refused = 1_600  # one by one they would take more than 30 seconds
    busy = threading.Event()
    shared.bulk.submit(busy.wait)

    async def main() -> None:
        large = asyncio.create_task(model.explain([row] * 3_000))
        [alone] = (await model.explain([row])).explanations  # while the large one waits for its thread
        assert not large.done()
        busy.set()
        many = (await large).explanations
        assert len(many) == 3_000
        for explanation in (many[0], many[-1]):
            assert alone is not None
            assert explanation is not None
            assert explanation.prediction == alone.prediction
            assert explanation.contributions == pytest.approx(alone.contributions, abs=1e-9 * abs(alone.base_value))

    with pytest.raises(RequestTooLarge, match="send parts of at most"):
        model.explaining.gate.demand_room(refused)
    asyncio.run(main())
    assert model.explaining.gate.waiting.rows == 0


def test_no_way_of_asking_takes_more_than_a_turn(trained: Project, row: dict[str, Any]) -> None:
    opened = bundle.read(trained.folder / "data/flights/bundle")
    sizes: list[int] = []

    class Watched(Predictor):
        """Notes how many rows it gets at a time, and is said to be slow whatever this machine can do."""

        def decode(self, rows: Sequence[object] | Table, after: Decoded | None = None) -> Decoded:
            note(len(rows))
            return super().decode(rows, after)

        def scores(self, inputs: Inputs) -> np.ndarray:
            note(count(inputs))
            return super().scores(inputs)

    def note(rows: int) -> None:
        if served:
            sizes.append(rows)
            served[0].predicting.gate.took(1, 0.01)

    async def main() -> None:
        for _ in range(50):
            model.predicting.gate.took(1, 0.01)
        assert model.predicting.gate.part == 5
        [alone] = (await model.predict([row])).predictions
        assert alone is not None
        await asyncio.gather(*(model.predict([row] * 3) for _ in range(20)))
        large = await model.predict([row] * 37)
        assert [one and one.prediction for one in large.predictions] == [alone.prediction] * 37
        await model.explain([row] * 17)
        each = await model.answer_each([row, {}] * 16)
        assert [answer.get("prediction") for answer in each] == [alone.prediction, None] * 16

    served: list[ServedModel] = []
    model = ServedModel(Watched.of(opened), opened, {}, Shared(Settings(max_wait_ms=10_000)))
    served.append(model)
    asyncio.run(main())
    assert sum(sizes) > 200
    assert max(sizes) <= 12  # large requests teach the gate this machine's speed too


def test_too_many_explanations_are_refused_and_the_others_answered(
    trained: Project, bento: str, tmp_path: Path, row: dict[str, Any]
) -> None:
    rows = {"instances": [row] * 600}
    port = str(free_port())
    with (
        trained.serve(bento, tmp_path / "elsewhere", BOXWOOD_MAX_WAIT_MS="1", BOXWOOD_GRPC_PORT=port) as server,
        generated(server, f"127.0.0.1:{port}", "flights", tmp_path) as fares,
    ):

        def ask(_: int) -> httpx.Response:
            with httpx.Client(base_url=server.base_url, timeout=60) as own:
                return own.post(EXPLAIN, json=rows)

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(ask, range(8)))
            calls = [pool.submit(fares.explain, fares.rows([row]) * 600) for _ in range(4)]
        errors = [call.exception() for call in calls]
        assert 1 <= errors.count(None) < 4
        for error in errors:
            if isinstance(error, grpc.RpcError):
                assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
                assert int(dict(error.trailing_metadata())["grpc-retry-pushback-ms"]) >= 1_000
        good = [answer for answer in answers if answer.status_code == 200]
        assert 1 <= len(good) < 8
        for answer in answers:
            if answer not in good:
                assert problem(answer, 503)["type"] == "urn:boxwood:overloaded"
                assert int(answer.headers["retry-after"]) >= 1
        assert server.post(EXPLAIN, json={"instances": [row]}).status_code == 200
        assert server.post(PREDICT, json={"instances": [row]}).status_code == 200


def caller(named: str) -> Caller:
    return Caller(named, Usage(named))


def test_a_caller_alone_may_fill_the_queue() -> None:
    explaining, one = gate(0.1), caller("one")
    with explaining.admit(6, one), explaining.admit(5, one), pytest.raises(Overloaded, match=r"would take 1\.1"):
        explaining.demand_room(2, one)


def test_beside_others_a_caller_has_its_share_of_the_queue() -> None:
    resource = Resource(Settings(max_wait_ms=1_000))
    explaining = gate(0.1, resource)
    many, few = caller("many"), caller("few")
    with contextlib.ExitStack() as let_in:
        for _ in range(20):  # turns of half a second at most
            with contextlib.suppress(Overloaded):
                let_in.enter_context(explaining.admit(1, many))
        assert resource.held["many"].requests == 11
        let_in.enter_context(explaining.admit(1, few))  # though the queue is full
        for _ in range(10):
            with contextlib.suppress(Overloaded):
                let_in.enter_context(explaining.admit(1, few))
        assert resource.held["few"].requests == 6
        with pytest.raises(Overloaded):
            explaining.demand_room(1, many)
    assert not resource.waiting
    assert resource.seconds == pytest.approx(0)


@given(steps=st.lists(st.tuples(st.sampled_from(["a", "b", "c", "d"]), st.integers(1, 8), st.booleans()), max_size=200))
def test_whoever_comes_nobody_has_more_than_its_share_and_nobody_waits_longer_than_twice_the_limit(
    steps: list[tuple[str, int, bool]],
) -> None:
    resource = Resource(Settings(max_wait_ms=1_000))
    explaining, callers = gate(0.01, resource), {named: caller(named) for named in "abcd"}
    waiting: list[contextlib.ExitStack] = []
    for named, rows, leaves in steps:
        if leaves and waiting:
            waiting.pop(0).close()
        large, held = rows > explaining.part, resource.held.get(named)
        own = 0.0 if held is None else held.seconds if large else held.turns
        others = resource.waiting - (own > 0)
        let_in = contextlib.ExitStack()
        try:
            let_in.enter_context(explaining.admit(rows, callers[named]))
        except Overloaded:
            assert own > 1.0 / (others + 1) or (resource.seconds if large else resource.turns) > 2.0
        else:
            assert own <= 1.0 / (others + 1) + 1e-9
            waiting.append(let_in)
        assert resource.turns <= 2.0 + 8 * 0.01 + 1e-9
    for let_in in waiting:
        let_in.close()
    assert not resource.waiting
