"""What each watcher says of each day."""

import functools
import json
import multiprocessing
import subprocess
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from benchmarks.environments import made
from benchmarks.watching import market
from benchmarks.watching.scenarios import Case
from benchmarks.watching.trained import Trained, trained
from model.watched import SPLIT
from monitoring import season
from monitoring.estimates import ACTUAL
from monitoring.judge import Window, judge
from monitoring.params import MonitorParams
from monitoring.verdict import Finding, Status
from validation.contract import Kind

_PEERS = Path(__file__).parents[1] / "peers"
PEERS = ("evidently", "nannyml")
_BY_LABELS = ("performance", "bias", "coverage")
_PARAMS = MonitorParams()
_WORKERS = 2


class Said(NamedTuple):
    """A day as it was judged.

    Attributes:
        case: which day.
        status: Boxwood's verdict, with labels.
        alarms: by watcher whether it raised one; of a watcher that needs labels a day later.
        true: the mean absolute error.
        estimates: what was estimated of it without labels, by who did.
    """

    case: Case
    status: Status
    alarms: dict[str, bool]
    true: float
    estimates: dict[str, float]


@functools.cache
def of_market(seed: int, folder: Path) -> Trained:
    """The model of a market."""
    return trained(market.PROBLEM, market.history(seed), folder)


def ours(cases: Sequence[Case], seed: int, folder: Path) -> list[Said]:
    """What `monitoring.judge` says of each day, see `judged`; by two processes."""
    of_market(seed, folder)  # before the workers, who read it
    judging = functools.partial(judged, seed, folder)
    with ProcessPoolExecutor(_WORKERS, multiprocessing.get_context("spawn")) as workers:
        return list(workers.map(judging, cases, chunksize=10))


def judged(seed: int, folder: Path, case: Case) -> Said:
    """What `monitoring.judge` says of a day, whose labels come a day later."""
    model = of_market(seed, folder)
    answered = model.answer(market.day(seed, case.day, case.world))
    date = market.date_of(case.day).isoformat()
    verdict = judge(model.watched, model.reference, Window(answered, date, date), _PARAMS)
    harmful = [finding for finding in verdict.findings if finding.harmful]
    estimate = verdict.performance[0].estimated
    return Said(
        case,
        verdict.status,
        {"Boxwood": any(not _by_labels(each) for each in harmful), "Boxwood, labels": any(map(_by_labels, harmful))},
        float(np.abs(answered[ACTUAL] - answered["score.0"]).mean()),
        {"Boxwood": np.nan if estimate is None else estimate.value},
    )


def _by_labels(finding: Finding) -> bool:
    return finding.kind in _BY_LABELS


def with_peers(found: Sequence[Said], seed: int, folder: Path, environments: Path) -> list[Said]:
    """The same days with what the peers say of them, in environments of their own."""
    exchanged = folder / "exchanged"
    exchanged.mkdir(exist_ok=True)
    _hand_over([each.case for each in found], of_market(seed, folder), seed, exchanged)
    for peer in PEERS:
        made(environments / peer, "-r", str(_PEERS / f"watch_{peer}.txt"), python="3.11")
    commands = [(environments / peer / "bin/python", _PEERS / f"watch_{peer}.py", exchanged) for peer in PEERS]
    for process in [subprocess.Popen(command, stdout=subprocess.DEVNULL) for command in commands]:
        if process.wait():
            raise SystemExit("A peer failed; its message is above.")
    evidently, nannyml = (json.loads((exchanged / f"{peer}.json").read_text()) for peer in PEERS)
    return [
        each._replace(
            alarms={**each.alarms, **evidently[each.case.name], **nannyml[each.case.name]["alarms"]},
            estimates={**each.estimates, "NannyML": nannyml[each.case.name]["estimate"]},
        )
        for each in found
    ]


def _hand_over(cases: Sequence[Case], model: Trained, seed: int, folder: Path) -> None:
    """Write the reference rows, and the rows of each day, as peers read them."""
    contract = model.watched.columns()
    looked_at = [column for column in contract.inputs if column is not contract.time]
    numbers = [column.name for column in looked_at if column.kind is not Kind.CATEGORY]
    names = [column.name for column in looked_at if column.kind is Kind.CATEGORY]
    (folder / "columns.json").write_text(json.dumps({"numbers": numbers, "names": names}))
    named = {"score.0": "prediction", contract.target.name: "actual", ACTUAL: "actual", SPLIT: "split"}
    reference = model.reference.rename(columns=named)
    reference.to_parquet(folder / "reference.parquet")
    days = [model.answer(market.day(seed, case.day, case.world)).assign(_day=case.name) for case in cases]
    pd.concat(days).rename(columns=named).to_parquet(folder / "days.parquet")
    places = [season.rows(contract, model.reference, rows, _PARAMS).rows.index.to_numpy() for rows in days]
    of_day = np.repeat([case.name for case in cases], [len(each) for each in places])
    pd.DataFrame({"_day": of_day, "place": np.concatenate(places)}).to_parquet(folder / "seasons.parquet")
