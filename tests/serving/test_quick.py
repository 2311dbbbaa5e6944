"""Few rows of a model whose own features fail at some of them: it costs their callers an answer, and nothing else."""

import asyncio
import functools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from model.predictor import Predictor
from serving.access.caller import ANYONE
from serving.admission import Gate
from serving.quick import Few, Quick
from serving.settings import Settings
from serving.shared import Shared
from serving.telemetry import ModelMetrics
from validation.contract import Contract
from validation.decode import MOST_ERRORS, Columns, Decoded
from validation.parsing import dates
from validation.table import Table

ODD = 13.0
"""A distance at which the features fail."""


@pytest.fixture
def quick(predictor: Predictor) -> tuple[Quick, Shared]:
    problem = predictor.problem

    def features(columns: Columns, state: Any) -> Columns:
        if np.any(columns["distance_km"] == ODD):
            raise ZeroDivisionError("odd")
        return problem.features(columns, state)

    model = replace(predictor.model, problem=replace(problem, features=features))
    shared = Shared(Settings())
    gates = [Gate(shared.loop, 1e-5) for _ in range(2)]
    return Quick(Predictor(model, "odd"), ModelMetrics("flights", "odd", (1.0,)), shared, *gates), shared


def test_a_table_that_cannot_be_scored_waits_no_longer(quick: tuple[Quick, Shared], row: dict[str, Any]) -> None:
    answers, shared = quick
    table = Table({name: [value] * 100 for name, value in {**row, "distance_km": ODD}.items()}, 100)
    told: list[Any] = []
    for _ in range(3):
        answers.score(table, told.append)
    assert [type(one) for one in told] == [ZeroDivisionError] * 3
    assert shared.loop.seconds == shared.loop.turns == 0.0


def test_of_a_request_only_so_many_wrong_values_get_a_hint_however_its_rows_are_answered(
    predictor: Predictor, row: dict[str, Any]
) -> None:
    tried: list[str] = []

    def parse(text: str) -> str:
        tried.append(text)
        return dates("%m/%d/%Y")(text)

    columns = (replace(each, parse=parse) if each.name == "date" else each for each in predictor.contract.columns)
    problem = replace(predictor.problem, contract=Contract(tuple(columns)))
    shared = Shared(Settings())
    asked = Predictor(replace(predictor.model, problem=problem), "hints")
    quick = Quick(
        asked, ModelMetrics("flights", "hints", (1.0,)), shared, Gate(shared.loop, 1e-5), Gate(shared.loop, 1e-5)
    )
    rows = [{**row, "date": "05/12/2023"}] * 150
    first = quick.decoded_each(rows, Decoded())
    others = quick.decoded_each(rows, first[-1])
    told = [error.message.endswith("?raw=true") for decoded in (*first, *others) for error in decoded.errors]
    assert told == [True] * MOST_ERRORS + [False] * 200
    assert len(tried) == MOST_ERRORS


def test_a_row_that_cannot_be_scored_costs_nobody_else_an_answer(
    quick: tuple[Quick, Shared], row: dict[str, Any]
) -> None:
    answers, shared = quick
    told: dict[int, Any] = {}

    async def ask() -> None:
        rows = [{**row, "distance_km": ODD if place == 1 else 100.0 + place} for place in range(3)]
        places = [functools.partial(told.__setitem__, place) for place in range(3)]
        answers.predict_all([(Few([one], False, ANYONE), done) for one, done in zip(rows, places, strict=True)])
        await asyncio.sleep(0)

    asyncio.run(ask())
    assert isinstance(told.pop(1), ZeroDivisionError)
    assert [len(said.predictions) for said in told.values()] == [1, 1]
    assert shared.loop.seconds == pytest.approx(0.0)
