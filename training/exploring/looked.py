"""A table as the pipeline would take it: parsed, through the gate, split; nothing is kept, and no failure ends it."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from problems import base
from problems.base import Problem
from training.data import beside, clean, fetched, formats, ingest, labelled, source, split, tables
from training.data.clean import CleanParams, Gated
from training.data.split import TEST, SplitParams
from training.draft import draft, module
from training.draft.module import Draft
from training.workspace import Workspace, read_json, say
from validation.contract import Contract
from validation.errors import BoxwoodError, SettingsError, TableError


@dataclass(frozen=True)
class Cut:
    """How the rows are split.

    Attributes:
        labels: the split of each row of silver; None if the table comes to no split.
        how: in words, or why there is none.
        shares: those that were asked for.
    """

    labels: pd.Series | None
    how: str
    shares: SplitParams


@dataclass(frozen=True)
class Looked:
    """A table that was looked at.

    Attributes:
        problem: what its rows are.
        origin: where it comes from, without secrets.
        headers: the file's.
        bronze: all rows that have a target, as ingest reads them.
        unlabelled: how many rows were left out, because they have none.
        gated: what the gate made of them.
        limit: the share of rows that may be refused.
        cut: the splits.
        draft: what a draft makes of the file; None where none can be made or was asked for.
        drafted: whether the problem is that draft's, so that nobody has looked at it yet.
    """

    problem: Problem
    origin: str
    headers: Sequence[str]
    bronze: pd.DataFrame
    unlabelled: int
    gated: Gated
    limit: float
    cut: Cut
    draft: Draft | None
    drafted: bool = False

    @property
    def satisfied(self) -> bool:
        """Whether enough rows satisfy the contract to show those alone."""
        return 2 * len(self.gated.silver) >= len(self.bronze)

    @property
    def shown(self) -> pd.DataFrame:
        """The rows that distributions are of: those that satisfy the contract, or all if those are few."""
        return self.gated.silver if self.satisfied else self.bronze

    @property
    def refused(self) -> int:
        """How many rows the gate refused."""
        return len(self.gated.quarantined)

    @property
    def stops(self) -> bool:
        """Whether training would stop at the gate."""
        return self.refused > self.limit * len(self.bronze) or self.refused == len(self.bronze)


def kept(problem: Problem, workspace: Workspace | None = None) -> Looked:
    """The table that the pipeline has; simulated if there is none and the problem has a simulator.

    Raises:
        TableError: it is not the table of the contract, or no row has a target.
        SettingsError: there is none, and nothing simulates one.
    """
    workspace = workspace or Workspace(problem.name)
    if workspace.table is None:
        source.main(problem)
    table = workspace.table
    if table is None:
        raise TableError(f"{workspace.raw} must hold one raw table; say which to look at with DATA=path-or-URL.")
    described = read_json(workspace.source)
    bronze = ingest.read(table, problem.contract, described.get("sheet"))
    if workspace.labelled.exists():
        rows = ingest.read(workspace.labelled, labelled.in_clean_form(problem.contract, workspace.labelled))
        bronze = labelled.joined(problem.contract, bronze, rows)
    origin = str(described["origin"])
    newer = described.get(beside.LABELLED)
    more = f", and {newer['rows']:,} answered rows whose true values came later" if newer else ""
    drafted = _draft(problem.contract, table, described.get("sheet"))
    return _looked(problem, table, described.get("sheet"), bronze, f"{origin}{more}", drafted)


def trained_on(problem: Problem, workspace: Workspace) -> Looked | None:
    """The table that the pipeline's last run took, without what a draft would say; None of a training on a cluster."""
    table = workspace.table
    if table is None:
        return None
    described = read_json(workspace.source)
    return _looked(
        problem, table, described.get("sheet"), tables.read(workspace.bronze), str(described["origin"]), None
    )


def brought(name: str, data: str, target: str | None = None, sheet: str | None = None) -> Looked:
    """A table from anywhere, as the problem of that name has it; where there is no such problem, as a draft has it.

    Args:
        name: the problem's.
        data: a path, a URL, another address, or "simulated".
        target: the header of what is predicted.
        sheet: which sheet of a workbook.

    Raises:
        TableError: it cannot be read, or is not the table of the contract, or cannot be drafted.
        SettingsError: the target is not the problem's, or the problem has no simulator.
        ContractError: there is no such problem, and no target to draft one.
    """
    with tempfile.TemporaryDirectory() as folder:
        if data == source.SIMULATED:
            return _simulated(base.load(name))
        table = fetched.copy(data, Path(folder))
        drafted = bool(target) and name not in base.names()
        problem = _drafted(table, str(target), name, sheet) if drafted else _known(name, target)
        bronze = ingest.read(table, problem.contract, sheet)
        by_draft = _draft(problem.contract, table, sheet)
        looked = _looked(problem, table, sheet, bronze, fetched.without_secrets(data), by_draft)
    return replace(looked, drafted=drafted)


def _simulated(problem: Problem) -> Looked:
    workspace = Workspace(problem.name)
    if workspace.table is not None and read_json(workspace.source)["origin"] != source.SIMULATED:
        raise SettingsError(
            f"The table of '{problem.name}' is another one, which a simulated one would take the place of: "
            f"`make train PROBLEM={problem.name} DATA={source.SIMULATED}` does that."
        )
    return kept(problem)


def _known(name: str, target: str | None) -> Problem:
    problem = base.load(name)
    own = problem.contract.target
    if target and target not in (own.name, own.source):
        raise SettingsError(
            f"problems/{name} predicts {own.source!r}, and not {target!r}. For another target look at it as another "
            "problem: PROBLEM=name."
        )
    return problem


def _drafted(table: Path, target: str, name: str, sheet: str | None) -> Problem:
    drafted = draft.read(table, target, name, sheet)
    return draft.executed(module.source(drafted))


def _looked(
    problem: Problem, table: Path, sheet: str | None, bronze: pd.DataFrame, origin: str, by_draft: Draft | None
) -> Looked:
    known = clean.with_target(problem, bronze)
    if known.empty:
        raise TableError(clean.no_target(problem))
    workspace = Workspace(problem.name)
    gated = clean.gated(problem, known.copy())
    with formats.opened(table, sheet) as opened:
        headers = opened.headers
    return Looked(
        problem,
        origin,
        headers,
        known,
        len(bronze) - len(known),
        gated,
        workspace.params("clean", CleanParams).quarantine_limit,
        _cut(problem, gated.silver, workspace.params("split", SplitParams)),
        by_draft,
    )


def _draft(contract: Contract, table: Path, sheet: str | None) -> Draft | None:
    """What a draft of the same target says; a table may have a problem and be too odd for a draft."""
    try:
        return draft.read(table, contract.target.source, "table", sheet)
    except TableError as error:
        say("eda", f"without what a draft would say: {error}")
        return None


def _cut(problem: Problem, silver: pd.DataFrame, shares: SplitParams) -> Cut:
    """The splits that the pipeline would make, or why it would make none."""
    try:
        labels, how = _labels(problem, silver, shares)
    except BoxwoodError as error:
        return Cut(None, str(error), shares)
    return Cut(labels, how, shares)


def _labels(problem: Problem, silver: pd.DataFrame, shares: SplitParams) -> tuple[pd.Series, str]:
    if silver.empty:
        raise TableError("No row satisfies the contract, so there is nothing to split.")
    if labelled.of(silver).any():
        return split.newest(problem, silver, shares.labelled), "the test is the latest of the answered rows"
    time = problem.contract.time
    order = split.ordered(problem, silver, shares.seed)
    labels = split.assign(order, shares)
    if time is None:
        return labels, "at random, by a hash of each row: copies of a row are in one split"
    split.demand_fine(time.name, order.nunique(), len(order), split.shares_of(labels), shares)
    return labels, f"in the order of {time.name}: the test begins on {order[labels == TEST].min().date()}"
