"""Whether a revision may get traffic: its answers to the golden rows, and its latency next to the old one's."""

import datetime
import itertools
import statistics
import time
from collections.abc import Sequence
from typing import NamedTuple

from deploy.asking import Api, Failed
from deploy.config import Canary
from deploy.errors import Unhealthy
from deploy.golden import Golden


def prove(api: Api, models: Sequence[Golden], what: str) -> None:
    """Ask for predictions and explanations of all golden rows; raises Unhealthy at the first that differs.

    A page, which has no models, only has to answer.
    """
    if not models and (failed := _ask(api, None, 0, exact=True).wrong):
        raise Unhealthy(f"{what} does not answer: {failed[0]}.")
    for model in models:
        for verb, differs in (("predict", model.differs), ("explain", model.differs_in_why)):
            try:
                version, answers = api.ask(verb, model.model, model.rows, model.asked)
            except Failed as error:
                raise Unhealthy(f"{what} does not answer: {error}.") from error
            wrong = None if version == model.version else f"it serves {model.model} {version} and not {model.version}"
            wrong = wrong or (None if len(answers) == len(model.rows) else f"{verb} lost rows of {model.model}")
            wrong = wrong or next(filter(None, (differs(row, answer) for row, answer in enumerate(answers))), None)
            if wrong:
                raise Unhealthy(f"{what} answers wrongly: {wrong}.")


class Asked(NamedTuple):
    """The results of several requests: seconds of each answer, and the errors."""

    seconds: Sequence[float]
    wrong: Sequence[str]

    @property
    def p95(self) -> float:
        """In milliseconds."""
        return 1_000 * (statistics.quantiles(self.seconds, n=20, method="inclusive")[-1] if self.seconds[1:] else 0.0)


class Compared(NamedTuple):
    """How two revisions answered: the latencies in a sentence, and when the last rows were asked."""

    sentence: str
    until: datetime.datetime


def compare(new: Api, old: Api | None, models: Sequence[Golden], canary: Canary, seconds: float) -> Compared:
    """Send single golden rows to the new and the old revision in turn, for at least `seconds`.

    Raises:
        Unhealthy: the new one fails, answers wrongly or is slower than it may be.
    """
    golden_rows: list[tuple[Golden | None, int]] = [(model, row) for model in models for row in range(len(model.rows))]
    rows = itertools.cycle(golden_rows or [(None, 0)])
    pause = seconds / canary.requests
    fresh, stable, until = Asked([], []), Asked([], []), datetime.datetime.now(datetime.UTC)
    for _, (model, row) in zip(range(canary.requests), rows, strict=False):
        until = datetime.datetime.now(datetime.UTC)
        fresh = _joined(fresh, _ask(new, model, row, exact=True))
        if fresh.wrong:
            raise Unhealthy(f"The new revision failed: {fresh.wrong[0]}.")
        if old is not None:
            stable = _joined(stable, _ask(old, model, row, exact=False))
        time.sleep(pause)
    limit = canary.max_slowdown * stable.p95 + canary.slack_ms
    latencies = f"p95 {fresh.p95:.0f} ms, the old revision's {stable.p95:.0f} ms"
    if old is not None and stable.seconds and fresh.p95 > limit:
        raise Unhealthy(f"The new revision is slow: {latencies}, and {limit:.0f} ms is the most it may be.")
    latencies = latencies if old is not None else f"p95 {fresh.p95:.0f} ms"
    return Compared(f"{canary.requests} answers as they should be, {latencies}", until)


def _ask(api: Api, model: Golden | None, row: int, *, exact: bool) -> Asked:
    started = time.perf_counter()
    try:
        if model is None:
            api.ask("", "", [])
            wrong = None
        else:
            _, [answer] = api.ask("predict", model.model, [model.rows[row]], model.asked)
            wrong = model.differs(row, answer) if exact else None  # the old one may be another model
    except (Failed, ValueError) as error:
        return Asked([], [str(error)])
    seconds = time.perf_counter() - started
    return Asked([seconds], [wrong] if wrong else [])


def _joined(first: Asked, second: Asked) -> Asked:
    return Asked([*first.seconds, *second.seconds], [*first.wrong, *second.wrong])
