"""Explains rows off the event loop: a few at a time, or many at once."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from serving.admission import Gate
from serving.shared import Shared
from serving.timing import timed
from validation.decode import Records
from validation.wire import Explanation

if TYPE_CHECKING:
    from model.predictor import Predictor


async def explanations(
    predictor: "Predictor", gate: Gate, shared: Shared, records: Records, subjects: Sequence[str]
) -> list[Explanation]:
    """Explain part by part in one thread, so that requests take turns; LightGBM releases the GIL meanwhile.

    Many rows are explained from tables, in a thread of their own: tables pay in parts that take longer than a turn.

    Args:
        predictor: what explains.
        gate: says how large a turn is, and learns how long it took.
        shared: has the threads.
        records: the rows.
        subjects: see `Predictor.explanations`.
    """
    loop = asyncio.get_running_loop()
    bulk = 0
    if predictor.effort(len(records)) < len(records):
        bulk = await loop.run_in_executor(shared.bulk, predictor.prepare_bulk)
    explained: list[Explanation] = []
    while len(explained) < len(records):
        part = records[len(explained) : len(explained) + (bulk or gate.part)]
        thread = shared.bulk if bulk else shared.explainer
        found, seconds = await loop.run_in_executor(thread, timed, predictor.explanations, part, subjects)
        if not bulk:
            gate.took(len(part), seconds)
        explained += found
    return explained
